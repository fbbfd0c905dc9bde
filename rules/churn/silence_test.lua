test("who was not here for 14 days is asked after at that moment, once", function(t)
  t:identify { plan = "team", owner = "bob" }
  t:event("Signed In")
  t:advance("13 days")
  t:event("Signed In")
  t:advance("13 days 23 hours 59 minutes")
  t:expect_nothing()
  t:advance("1 minute")
  t:expect_sent("crm", "churn.silence", {
    customer = "42", since = "2026-01-18T09:00:00.000Z", days = 14, owner = "bob",
  })
  t:advance("60 days")
  t:expect_nothing()
end)

test("a new visit begins a new silence", function(t)
  t:identify { plan = "team" }
  t:event("Signed In")
  t:advance("14 days")
  t:expect_sent("crm", "churn.silence")
  t:event("Signed In")
  t:advance("14 days")
  t:expect_sent("crm", "churn.silence")
  t:expect_nothing()
end)

test("who signed up and never came is asked after, too", function(t)
  t:identify { plan = "team" }
  t:advance("14 days")
  t:expect_sent("crm", "churn.silence")
end)

test("a failing payment, an open ticket, an end and no plan are reasons to be still", function(t)
  for who, traits in pairs {
    ada = { plan = "team", payment_failing = true }, bob = { plan = "team", open_tickets = 1 },
    ["7"] = { plan = "team", churned = true }, ["8"] = { name = "a visitor" },
  } do
    t:identify(traits, { user = who })
  end
  t:advance("14 days")
  t:expect_nothing()
  t:identify({ plan = "team", open_tickets = "none" }, { user = "9" })
  t:identify({ plan = "team", open_tickets = 0 }, { user = "10" })
  t:advance("14 days")
  t:expect_sent("crm", "churn.silence", { customer = "9" })
  t:expect_sent("crm", "churn.silence", { customer = "10" })
  t:expect_nothing()
end)
