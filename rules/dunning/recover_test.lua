rules { "dunning/charge", "dunning/ledger" }

local DAY = 86400000

local function fail(t, code, more, advice)
  local data = { id = "in_1", amount_remaining = 4900, currency = "eur", subscription = "sub_1" }
  data.hosted_invoice_url = "https://pay.example.com/in_1"
  for name, value in pairs(more or {}) do data[name] = value end
  t:event("charge.failed", {
    invoice = data.id, amount = data.amount_remaining, currency = "eur", payment_method = "pm_1",
    outcome = { reason = code, network_advice_code = advice },
    payment_method_details = { card = { network = "visa", country = "US" } },
  })
  t:event("invoice.payment_failed", data)
  t:advance("1 minute")
end

local function declined(t, code)
  t:reply("billing", "payment.charge", { status = 402, body = { error = { decline_code = code } } })
end

local function pays(t) t:reply("billing", "payment.charge", { ok = true, body = { outcome = "paid" } }) end

test("without money on the account, the card is tried on the next payday at a decent hour, and pays", function(t)
  t:identify { timezone = "America/New_York" }
  fail(t, "insufficient_funds")
  t:expect_sent("crm", "dunning.reminder", { invoice = "in_1", amount = 4900, currency = "EUR", code = "insufficient_funds",
    url = "https://pay.example.com/in_1" })
  t:advance("3 days")
  t:expect_nothing()
  pays(t)
  -- Friday, at ten and a few minutes.
  t:at("2026-01-09 11:00", "America/New_York")
  t:expect_called("billing", "payment.charge", { invoice = "in_1", payment_method = "pm_1" })
  t:expect_ended("recovered", { rule = "dunning/recover" })
  t:expect_emitted("Payment Recovered", { invoice = "in_1", amount = 4900, currency = "EUR", by = "calendar", days = 4 })
  t:advance("90 days")
  t:expect_nothing()
end)

test("a vague decline is tried after 1, 3, 7 and 10 days, then another card is asked for, and in the end it is lost", function(t)
  fail(t, "do_not_honor")
  t:expect_sent("crm", "dunning.reminder", { tries = 0 })
  for place, day in ipairs { 1, 3, 7, 10 } do
    declined(t, "do_not_honor")
    t:at("2026-01-" .. (#tostring(5 + day) == 1 and "0" or "") .. (5 + day) .. "T23:59:00Z")
    if place == 2 or place == 4 then t:advance("1 day") end
    t:expect_called("billing", "payment.charge")
    if place == 2 then t:expect_sent("crm", "dunning.reminder", { tries = 2 }) end
  end
  t:expect_sent("crm", "dunning.new_card", { asked = 1 })
  t:advance("11 days")
  t:expect_sent("crm", "dunning.new_card", { asked = 2 })
  t:expect_sent("crm", "dunning.new_card", { asked = 3 })
  t:advance("30 days")
  t:expect_sent("crm", "dunning.lost", { invoice = "in_1", tries = 4, end_action = "cancel" })
  t:expect_sent("billing", "subscription.cancel", { subscription = "sub_1" })
  t:expect_emitted("Payment Lost", { invoice = "in_1", amount = 4900, currency = "EUR", tries = 4 })
  t:expect_ended("lost")
  t:expect_nothing()
end)

test("a technical error is tried again after 1, 4 and 24 hours, and nobody is bothered with it", function(t)
  fail(t, "processing_error")
  t:expect_nothing()
  for _, pause in ipairs { "1 hour", "4 hours" } do
    declined(t, "issuer_not_available")
    t:advance(pause)
    t:expect_called("billing", "payment.charge")
    t:expect_nothing()
  end
  pays(t)
  t:advance("1 day")
  t:expect_called("billing", "payment.charge")
  t:expect_ended("recovered")
end)

test("an expired card is not tried; a new one is, at once", function(t)
  fail(t, "expired_card")
  t:expect_sent("crm", "dunning.new_card", { asked = 1, code = "expired_card" })
  t:advance("2 days")
  t:expect_nothing()
  pays(t)
  t:event("payment_method.attached", { id = "pm_2", card = { network = "mastercard", country = "US" } })
  t:expect_called("billing", "payment.charge", { payment_method = "pm_2" })
  t:expect_ended("recovered", { rule = "dunning/recover" })
  t:expect_emitted("Payment Recovered", { by = "new card" })
end)

test("new data of the same card is tried at once, that of another card changes nothing", function(t)
  fail(t, "stolen_card")
  t:expect_sent("crm", "dunning.new_card")
  t:advance("1 hour")
  t:event("payment_method.automatically_updated", { id = "pm_9" })
  t:expect_nothing()
  pays(t)
  t:event("payment_method.automatically_updated", { id = "pm_1" })
  t:expect_called("billing", "payment.charge", { payment_method = "pm_1" })
  t:expect_emitted("Payment Recovered", { by = "updated card" })
end)

test("a bank that wants to see the customer gets no blind try: the link goes out", function(t)
  fail(t, "authentication_required")
  t:expect_sent("crm", "dunning.confirm", { url = "https://pay.example.com/in_1", asked = 1 })
  t:advance("11 days")
  t:expect_sent("crm", "dunning.confirm", { asked = 2 })
  t:expect_sent("crm", "dunning.confirm", { asked = 3 })
  t:expect_nothing()
  t:event("invoice.paid", { id = "in_1" })
  t:expect_ended("goal")
  t:expect_emitted("Payment Recovered", { by = "customer", days = 11 })
end)

test("who has revoked the permission gets no mail: a person looks first", function(t)
  fail(t, "revocation_of_authorization")
  t:expect_sent("crm", "dunning.review", { code = "revocation_of_authorization" })
  t:advance("20 days")
  t:expect_nothing()
end)

test("paid, voided or written off, it stops at once; another invoice goes on", function(t)
  for _, name in ipairs { "invoice.paid", "invoice.voided", "invoice.marked_uncollectible" } do
    fail(t, "do_not_honor", { id = name })
    t:expect_sent("crm", "dunning.reminder", { invoice = name })
    t:event(name, { id = "in_other" })
    t:expect_waiting { rule = "dunning/recover" }
    t:event(name, { id = name })
    t:expect_not_waiting { rule = "dunning/recover" }
    t:expect_emitted(name == "invoice.paid" and "Payment Recovered" or "Payment Closed", { invoice = name })
  end
  t:advance("60 days")
  t:expect_nothing()
end)

test("the events may come in any order and again, and are one campaign", function(t)
  local bill = { id = "in_1", amount_remaining = 4900, currency = "eur" }
  t:event("invoice.payment_failed", bill)
  t:event("invoice.payment_failed", bill)
  t:event("charge.failed", { invoice = "in_1", payment_method = "pm_1", failure_code = "card_declined",
    outcome = { reason = "expired_card" } })
  t:advance("1 minute")
  t:expect_sent("crm", "dunning.new_card", { code = "expired_card" })
  t:event("charge.failed", { invoice = "in_1", payment_method = "pm_1", failure_code = "expired_card" })
  t:expect_verdict("not again", "it ran", { rule = "dunning/recover" })
  t:advance("60 days")
  t:event("charge.failed", { invoice = "in_1", payment_method = "pm_1", failure_code = "expired_card" })
  t:expect_verdict("not again", "it ran", { rule = "dunning/recover" })
end)

test("as long as billing has a next try of its own, the campaign does not begin", function(t)
  fail(t, "do_not_honor", { next_payment_attempt = 1767700000 })
  t:expect_ended("skipped")
  t:advance("3 days")
  fail(t, "do_not_honor")
  t:expect_sent("crm", "dunning.reminder")
end)

test("an outcome that nobody finds out is handed to a person, and is not tried again, not with a new card either", function(t)
  fail(t, "processing_error")
  t:reply("billing", "payment.charge", { no_reply = true })
  for _ = 1, 7 do t:reply("billing", "payment.lookup", { ok = false, status = 500 }) end
  t:advance("2 hours")
  t:event("payment_method.attached", { id = "pm_2" })
  t:advance("7 days")
  t:expect_called("billing", "payment.charge")
  for _ = 1, 7 do t:expect_called("billing", "payment.lookup") end
  t:expect_sent("crm", "dunning.review", { code = "unknown" })
  t:expect_ended("unresolved")
  t:expect_emitted("Payment Unresolved", { invoice = "in_1" })
  t:advance("60 days")
  t:expect_nothing()
end)

test("a limit of the network puts the next try off, and the campaign waits for it", function(t)
  fail(t, "do_not_honor", {}, "30")
  t:expect_sent("crm", "dunning.reminder")
  t:at("2026-01-15T08:00:00Z")
  t:expect_nothing()
  pays(t)
  t:advance("2 days")
  t:expect_called("billing", "payment.charge")
end)

test("a payment without an amount, or with nonsense for one, is not begun", function(t)
  for _, wrong in ipairs { 0, -1, "4900", 49.5 } do
    t:event("invoice.payment_failed", { id = "in_" .. tostring(wrong), amount_remaining = wrong, currency = "eur" })
    t:advance("1 minute")
    t:expect_not_waiting()
  end
  t:event("invoice.payment_failed", { amount_remaining = 4900, currency = "eur" })
  t:expect_not_waiting()
  t:event("charge.failed", { amount = 4900, currency = "eur", payment_method = "pm_1" })
  t:expect_verdict("no key", "data.invoice", { rule = "dunning/recover" })
  t:expect_nothing()
end)

test("without a card to charge, one is asked for", function(t)
  t:event("invoice.payment_failed", { id = "in_1", amount_remaining = 4900, currency = "eur" })
  t:advance("1 minute")
  t:expect_sent("crm", "dunning.new_card", { asked = 1 })
  t:expect_nothing()
end)

test("what is paid is not charged when the word of its failure comes late, and a charge that failed alone begins nothing", function(t)
  t:event("invoice.paid", { id = "in_1" })
  fail(t, "do_not_honor")
  t:expect_ended("skipped", { rule = "dunning/recover" })
  t:advance("60 days")
  t:expect_nothing()
end)

test("a new card that was refused for one invoice is not tried for another whose campaign hears of it later", function(t)
  fail(t, "processing_error")
  t:reply("billing", "payment.charge", { no_reply = true })
  t:advance("1 hour")
  t:expect_called("billing", "payment.charge", { invoice = "in_1" })
  fail(t, "expired_card", { id = "in_2" })
  t:expect_sent("crm", "dunning.new_card", { invoice = "in_2" })
  -- The first invoice still waits for its look-up when the card comes, and is stolen.
  declined(t, "stolen_card")
  t:event("payment_method.attached", { id = "pm_2" })
  t:expect_called("billing", "payment.charge", { invoice = "in_2", payment_method = "pm_2" })
  t:reply("billing", "payment.lookup", { ok = true, body = { outcome = "none" } })
  t:advance("2 hours")
  t:expect_called("billing", "payment.lookup", { invoice = "in_1", payment_method = "pm_1" })
  t:expect_sent("crm", "dunning.new_card", { invoice = "in_2" })
  t:expect_sent("crm", "dunning.new_card", { invoice = "in_1" })
  t:expect_nothing()
end)

test("a plan for the next try that Stripe tells apart is a plan, too; one that is past is none", function(t)
  t:event("invoice.updated", { id = "in_1", next_payment_attempt = 1767900000 })
  fail(t, "do_not_honor")
  t:expect_ended("skipped", { rule = "dunning/recover" })
  t:event("invoice.updated", { id = "in_2", next_payment_attempt = 1767500000 })
  fail(t, "do_not_honor", { id = "in_2" })
  t:expect_waiting { rule = "dunning/recover" }
end)

test("an update of an invoice that has not failed begins nothing", function(t)
  t:event("invoice.updated", { id = "in_1" })
  t:expect_not_waiting { rule = "dunning/recover" }
  t:event("invoice.updated", { id = "in_1", next_payment_attempt = 1767900000 })
  t:advance("1 minute")
  t:expect_ended("skipped", { rule = "dunning/recover" })
end)

test("an invoice for which the customer has to act brings the link at once, without a blind try", function(t)
  t:event("invoice.payment_failed", { id = "in_1", amount_remaining = 4900, currency = "eur", payment_method = "pm_1" })
  t:event("invoice.payment_action_required", { id = "in_1" })
  t:advance("1 minute")
  t:expect_sent("crm", "dunning.confirm", { invoice = "in_1", code = "authentication_required" })
  t:advance("1 day")
  t:expect_nothing()
end)

test("all tries that billing has made count for the network's limit", function(t)
  fail(t, "insufficient_funds", { attempt_count = 15 })
  t:expect_sent("crm", "dunning.reminder")
  t:advance("5 days")
  t:expect_emitted("payment.answered", { outcome = "refused", reason = "limit" })
  t:expect_sent("crm", "dunning.new_card")
  t:expect_nothing()
end)

test("the same number under another payment method is the same card", function(t)
  local function attach(id) t:event("payment_method.attached", { id = id, card = { brand = "visa", fingerprint = "f1" } }) end
  fail(t, "insufficient_funds")
  t:expect_sent("crm", "dunning.reminder")
  for number = 2, 16 do
    t:advance("1 hour")
    declined(t, "insufficient_funds")
    attach("pm_" .. number)
    t:expect_called("billing", "payment.charge", { payment_method = "pm_" .. number })
  end
  t:advance("1 hour")
  attach("pm_17")
  t:expect_emitted("payment.answered", { outcome = "refused", reason = "limit" })
end)

test("a stolen card that is attached once more is not tried", function(t)
  fail(t, "expired_card")
  t:expect_sent("crm", "dunning.new_card")
  declined(t, "stolen_card")
  t:event("payment_method.attached", { id = "pm_2", card = { brand = "visa", fingerprint = "f1" } })
  t:expect_called("billing", "payment.charge", { payment_method = "pm_2" })
  t:expect_sent("crm", "dunning.new_card", { code = "stolen_card" })
  t:advance("1 hour")
  t:event("payment_method.attached", { id = "pm_3", card = { brand = "visa", fingerprint = "f1" } })
  t:expect_sent("crm", "dunning.new_card")
  t:expect_nothing()
end)
