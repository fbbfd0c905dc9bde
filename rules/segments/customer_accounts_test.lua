test("an account with a plan is in until it leaves, and people are not accounts", function(t)
  local acme = { account = "acme" }
  t:identify({ name = "Acme" }, acme)
  t:expect_not_in("customer_accounts", acme)
  t:identify({ plan = "team" }, acme)
  t:expect_in("customer_accounts", acme)
  t:identify({ churned = true }, acme)
  t:expect_not_in("customer_accounts", acme)
end)
