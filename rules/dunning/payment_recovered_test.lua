rules { "dunning/mark_failing" }

test("a payment that recovers is thanked for, and the failure is forgotten", function(t)
  t:event("invoice.payment_failed", { invoice = "in_1" })
  t:expect_traits { payment_failing = true }
  t:event("invoice.paid", { invoice = "in_1" })
  t:expect_sent("crm", "payment.recovered", { customer = "42", invoice = "in_1" })
  t:expect_traits { payment_failing = null }
  t:expect_nothing()
end)

test("a payment that had not failed is no news", function(t)
  t:event("invoice.paid", { invoice = "in_1" })
  t:expect_verdict("skipped", "no payment had failed")
  t:expect_nothing()
end)

test("after the next failure there are thanks again", function(t)
  for _ = 1, 2 do
    t:event("invoice.payment_failed", { invoice = "in_1" })
    t:event("invoice.paid", { invoice = "in_1" })
    t:expect_sent("crm", "payment.recovered")
    t:advance("30 days")
  end
  t:expect_nothing()
end)

test("an invoice without its number is thanked for without it", function(t)
  t:identify { payment_failing = true }
  t:event("invoice.paid")
  t:expect_sent("crm", "payment.recovered", { invoice = null })
end)
