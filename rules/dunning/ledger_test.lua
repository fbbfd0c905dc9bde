local function fail(t, invoice, options)
  t:event("invoice.payment_failed", { id = invoice, amount_remaining = 4900, currency = "eur" }, options)
end

test("a failed payment is remembered, for other rules to see, and forgotten when it is paid", function(t)
  fail(t, "in_1")
  t:expect_traits { payment_failing = true }
  t:expect_emitted("Unpaid Invoices Changed", { count = 1, since = 1767603600000 })
  t:advance("3 days")
  t:event("invoice.paid", { id = "in_1" })
  t:expect_traits { payment_failing = null }
  t:expect_emitted("Payment Recovered", { invoice = "in_1", amount = 4900, currency = "EUR", by = "customer", days = 3 })
  t:expect_emitted("Unpaid Invoices Changed", { count = 0, since = null })
  t:expect_state { open = null, settled = "in_1 1767862800;" }
end)

test("only when all are paid nothing fails any more, and the oldest that is left counts", function(t)
  fail(t, "in_1")
  t:advance("1 day")
  fail(t, "in_2")
  t:event("invoice.paid", { id = "in_1" })
  t:expect_traits { payment_failing = true }
  t:expect_emitted("Unpaid Invoices Changed", { count = 1 })
  t:expect_emitted("Unpaid Invoices Changed", { count = 2, since = 1767603600000 })
  t:expect_emitted("Unpaid Invoices Changed", { count = 1, since = 1767603600000 + 86400000 })
  t:event("invoice.voided", { id = "in_2" })
  t:expect_emitted("Payment Closed", { invoice = "in_2", reason = "voided", amount = 4900 })
  t:expect_traits { payment_failing = null }
end)

test("what our own try has brought is told apart from what the customer did, whichever word comes first", function(t)
  for _, way in ipairs { "answer", "event" } do
    fail(t, way)
    t:event("Payment Tried", { invoice = way, card = "pm_1", why = "calendar" })
    if way == "answer" then
      t:event("payment.answered", { invoice = way, outcome = "paid" })
      t:event("invoice.paid", { id = way })
    else
      t:event("invoice.paid", { id = way })
      t:event("payment.answered", { invoice = way, outcome = "paid" })
    end
    t:expect_verdict("ran", "is settled")
    t:expect_emitted("Payment Recovered", { invoice = way, by = "calendar" })
  end
  fail(t, "in_3")
  t:event("Payment Tried", { invoice = "in_3", card = "pm_1", why = "calendar" })
  t:event("payment.answered", { invoice = "in_3", outcome = "declined" })
  t:event("invoice.paid", { id = "in_3" })
  t:expect_emitted("Payment Recovered", { invoice = "in_3", by = "customer" })
end)

test("a failure that is told again changes nothing, and other customers are not concerned", function(t)
  fail(t, "in_1")
  t:advance("1 day")
  fail(t, "in_1")
  t:expect_state { open = "in_1 4900 EUR 1767603600 -;" }
  t:expect_traits({ payment_failing = null }, { user = "ada" })
end)

test("a payment that had not failed is no news", function(t)
  t:event("invoice.paid", { id = "in_1" })
  t:expect_verdict("ran", "had not failed")
  t:expect_traits { payment_failing = null }
end)

test("events overtake each other: a failure that is told after the payment opens nothing", function(t)
  t:event("invoice.paid", { id = "in_1" })
  fail(t, "in_1")
  t:expect_verdict("skipped", "comes late")
  fail(t, "in_2")
  t:event("invoice.voided", { id = "in_2" })
  t:advance("30 days")
  fail(t, "in_2")
  t:expect_verdict("skipped", "comes late")
  t:expect_traits { payment_failing = null }
end)

test("nonsense for an invoice or an amount takes nothing from anybody", function(t)
  t:event("invoice.payment_failed", { amount_remaining = 4900, currency = "eur" })
  t:expect_verdict("skipped", "no invoice is named")
  t:event("invoice.payment_failed", { id = "in 1;", amount_remaining = 4900, currency = "eur" })
  t:expect_verdict("skipped", "no invoice is named")
  for _, wrong in ipairs { 0, -5, "4900", 49.5 } do
    t:event("invoice.payment_failed", { id = "in_1", amount_remaining = wrong, currency = "eur" })
    t:expect_verdict("skipped", "no amount that can be understood")
  end
  t:expect_traits { payment_failing = null }
end)

test("an invoice that is deleted has nothing left to pay", function(t)
  fail(t, "in_1")
  t:event("invoice.deleted", { id = "in_1" })
  t:expect_emitted("Payment Closed", { invoice = "in_1", reason = "deleted" })
  t:expect_traits { payment_failing = null }
end)
