rules { "dunning/ledger" }

test("whoever opens the cancellation page gets the save offer", function(t)
  t:event("cancellation_started", { reason = "too expensive" })
  t:expect_sent("crm", "churn.save_offer", { customer = "42", reason = "too expensive" })
  t:expect_nothing()
end)

test("the offer is made once and never again", function(t)
  t:event("cancellation_started", { reason = "too expensive" })
  t:expect_sent("crm", "churn.save_offer")
  t:advance("365 days")
  t:event("cancellation_started", { reason = "still too expensive" })
  t:expect_verdict("not again")
  t:expect_nothing()
end)

test("while a payment fails there is no offer", function(t)
  t:event("invoice.payment_failed", { id = "in_1", amount_remaining = 4900, currency = "eur" })
  t:event("cancellation_started", { reason = "too expensive" })
  t:expect_verdict("skipped", "a payment is failing")
  t:expect_nothing()
end)

test("a cancellation without a reason gets the offer, too", function(t)
  t:event("cancellation_started")
  t:expect_sent("crm", "churn.save_offer", { customer = "42", reason = null })
end)
