rules { "dunning/ledger" }

test("who was not here for 14 days is asked after, once", function(t)
  t:event("session_started")
  t:advance("13 days")
  t:expect_nothing()
  t:event("session_started")
  t:advance("13 days 23 hours")
  t:expect_nothing()
  t:advance("1 hour")
  t:expect_sent("crm", "churn.gone_quiet", { customer = "42" })
  t:advance("60 days")
  t:expect_nothing()
end)

test("who signed up and never came is asked after, too", function(t)
  t:identify { plan = "team" }
  t:advance("14 days")
  t:expect_sent("crm", "churn.gone_quiet")
end)

test("while a payment fails nobody is asked", function(t)
  t:event("invoice.payment_failed", { id = "in_1", amount_remaining = 4900, currency = "eur" })
  t:advance("14 days")
  t:expect_verdict("skipped", "a payment is failing")
  t:expect_nothing()
end)
