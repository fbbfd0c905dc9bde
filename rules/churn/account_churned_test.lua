local acme = { account = "acme" }

test("an account leaves and comes back", function(t)
  t:identify({ plan = "team", health = 55 }, acme)
  t:event("Customer Churned", { subscription = "sub_1" }, acme)
  t:expect_traits({ churned = true, health = 55 }, acme)
  t:event("Customer Churned", { subscription = "sub_1" }, acme)
  t:expect_verdict("skipped", "known already")
  t:event("Customer Returned", { subscription = "sub_2" }, acme)
  t:expect_traits({ churned = false }, acme)
  t:event("Customer Churned", {}, acme)
  t:expect_traits({ churned = true }, acme)
end)

test("a person alone changes no account", function(t)
  t:event("Customer Churned", { subscription = "sub_1" }, { user = "ada" })
  t:expect_traits({ churned = null }, { user = "ada" })
end)
