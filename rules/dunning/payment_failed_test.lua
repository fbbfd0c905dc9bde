local failed = { invoice = "in_1", amount = 4900, currency = "EUR" }

test("a failed payment is told to billing and to the customer", function(t)
  t:event("invoice.payment_failed", failed)
  t:expect_sent("billing", "payment.review", { customer = "42", invoice = "in_1", failures = 1 })
  t:expect_sent("crm", "payment.reminder", { customer = "42", invoice = "in_1", amount = 4900, currency = "EUR" })
  t:expect_nothing()
end)

test("failures are counted for each customer by itself", function(t)
  t:event("invoice.payment_failed", failed)
  t:event("invoice.payment_failed", failed, { user = "ada" })
  t:event("invoice.payment_failed", failed)
  t:expect_state { failures = 2 }
  t:expect_sent("billing", "payment.review", { failures = 2 }, { user = "42" })
  t:expect_state({ failures = 1 }, { user = "ada" })
end)

test("an event that comes twice counts once", function(t)
  t:event("invoice.payment_failed", failed, { id = "evt_1" })
  t:event("invoice.payment_failed", failed, { id = "evt_1" })
  t:expect_state { failures = 1 }
end)

test("without an amount the reminder leaves it out", function(t)
  t:event("invoice.payment_failed", { invoice = "in_1" })
  t:expect_sent("crm", "payment.reminder", { invoice = "in_1", amount = null })
end)
