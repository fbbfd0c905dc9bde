local card = { thing = "card:pm_1" }

local function ask(t, more)
  local data = { invoice = "in_1", amount = 4900, currency = "EUR", network = "visa", asked_by = "user:42" }
  for name, value in pairs(more or {}) do data[name] = value end
  t:event("payment.requested", data, card)
end

local function declined(code, advice)
  return { ok = true, body = { outcome = "declined", code = code, advice = advice } }
end

local paid = { ok = true, body = { outcome = "paid" } }

test("a card that pays is charged once, and the asker is told", function(t)
  t:reply("billing", "payment.charge", paid)
  ask(t)
  t:expect_called("billing", "payment.charge", {
    invoice = "in_1", amount = 4900, currency = "EUR", payment_method = "pm_1", tried_at = 1767603600000,
  })
  t:expect_emitted("payment.answered", { invoice = "in_1", outcome = "paid", reason = null })
  t:expect_ended("paid")
  t:expect_state { tries = "4900 EUR:1767603600", invoices = "in_1 1767603600 paid;" }
  ask(t)
  t:expect_emitted("payment.answered", { outcome = "paid" })
  t:expect_nothing()
end)

test("a decline is told with its class, and the next try has to wait for a day", function(t)
  t:reply("billing", "payment.charge", declined("insufficient_funds"))
  ask(t)
  t:expect_called("billing", "payment.charge")
  t:expect_emitted("payment.answered", { outcome = "declined", code = "insufficient_funds", class = "funds" })
  t:advance("23 hours")
  ask(t)
  t:expect_emitted("payment.answered", { outcome = "refused", reason = "too soon", next_at = 1767690000000 })
  t:expect_nothing()
  t:reply("billing", "payment.charge", paid)
  t:advance("1 hour")
  ask(t)
  t:expect_called("billing", "payment.charge")
  t:expect_ended("paid")
end)

test("the sixteenth try in 30 days is refused for a visa card, and allowed when the first is old enough", function(t)
  for number = 1, 15 do
    t:reply("billing", "payment.charge", declined("do_not_honor"))
    ask(t)
    t:expect_called("billing", "payment.charge")
    t:expect_emitted("payment.answered", { outcome = "declined" })
    t:advance("25 hours")
  end
  ask(t, { invoice = "in_2" })
  t:expect_emitted("payment.answered", { outcome = "refused", reason = "limit", next_at = 1770195601000 })
  t:expect_nothing()
  t:at("2026-02-04T09:00:01Z")
  t:reply("billing", "payment.charge", paid)
  ask(t, { invoice = "in_2" })
  t:expect_called("billing", "payment.charge", { invoice = "in_2" })
end)

test("another amount has a count of its own, and mastercard may be tried ten times in a day", function(t)
  for number = 1, 10 do
    t:reply("billing", "payment.charge", declined("do_not_honor"))
    ask(t, { invoice = "in_" .. number, network = "mastercard" })
    t:expect_called("billing", "payment.charge")
  end
  ask(t, { invoice = "in_11", network = "mastercard" })
  t:expect_emitted("payment.answered", { reason = "limit", next_at = 1767690001000 })
  t:expect_nothing()
  t:reply("billing", "payment.charge", paid)
  ask(t, { invoice = "in_11", network = "mastercard", amount = 4901 })
  t:expect_called("billing", "payment.charge", { amount = 4901 })
end)

test("two invoices of one amount in the same second are two tries", function(t)
  for number = 1, 2 do
    t:reply("billing", "payment.charge", paid)
    ask(t, { invoice = "in_" .. number })
  end
  t:expect_state { tries = "4900 EUR:1767603600,1767603600" }
end)

test("a card that was reported stolen is never tried again, until it has changed", function(t)
  t:reply("billing", "payment.charge", declined("stolen_card"))
  ask(t)
  t:expect_called("billing", "payment.charge")
  t:expect_emitted("payment.answered", { outcome = "declined", class = "never" })
  t:advance("60 days")
  ask(t, { invoice = "in_2" })
  t:expect_emitted("payment.answered", { outcome = "refused", reason = "never", next_at = null })
  t:expect_nothing()
  t:reply("billing", "payment.charge", paid)
  ask(t, { invoice = "in_2", card_changed_at = 1767603600000 + 60 * 86400000 })
  t:expect_called("billing", "payment.charge", { invoice = "in_2" })
end)

test("a never that billing has met by itself counts as well", function(t)
  ask(t, { tried_at = 1767603500000, code = "pickup_card" })
  t:expect_emitted("payment.answered", { outcome = "refused", reason = "never" })
  t:expect_nothing()
end)

test("advice of the network gives the earliest time", function(t)
  t:reply("billing", "payment.charge", declined("do_not_honor", "30"))
  ask(t)
  t:expect_called("billing", "payment.charge")
  t:expect_emitted("payment.answered", { outcome = "declined", next_at = 1767603600000 + 10 * 86400000 })
  t:advance("9 days")
  ask(t, { invoice = "in_2" })
  t:expect_emitted("payment.answered", { reason = "limit", next_at = 1767603600000 + 10 * 86400000 })
  t:expect_nothing()
end)

test("a changed card may be tried at once, one time", function(t)
  t:reply("billing", "payment.charge", declined("do_not_honor"))
  ask(t)
  t:expect_called("billing", "payment.charge")
  t:advance("1 hour")
  local changed_at = 1767603600000 + 3600000
  t:reply("billing", "payment.charge", declined("do_not_honor"))
  ask(t, { card_changed_at = changed_at })
  t:expect_called("billing", "payment.charge")
  t:advance("1 hour")
  ask(t, { card_changed_at = changed_at })
  t:expect_emitted("payment.answered", { reason = "too soon" })
  -- A change that is said to come is none.
  ask(t, { card_changed_at = changed_at + 86400000 * 365 })
  t:expect_emitted("payment.answered", { reason = "too soon" })
  t:expect_nothing()
end)

test("an unknown outcome is looked up after 5 minutes, an hour and days, and nothing else is tried", function(t)
  t:reply("billing", "payment.charge", { no_reply = true })
  ask(t)
  t:expect_called("billing", "payment.charge")
  t:advance("2 minutes")
  ask(t)
  t:expect_verdict("second")
  for _, pause in ipairs { "5 minutes", "1 hour", "1 day" } do
    t:reply("billing", "payment.lookup", { ok = false, status = 500 })
    t:advance(pause)
    t:expect_called("billing", "payment.lookup", { invoice = "in_1", payment_method = "pm_1", tried_at = 1767603600000 })
    t:expect_nothing()
  end
  t:reply("billing", "payment.lookup", paid)
  t:advance("1 day")
  t:expect_called("billing", "payment.lookup")
  t:expect_emitted("payment.answered", { outcome = "paid" })
  t:expect_nothing()
end)

test("what stays unknown stays closed, and the next who asks begins with a look-up", function(t)
  t:reply("billing", "payment.charge", { ok = false, status = 500 })
  ask(t)
  t:expect_called("billing", "payment.charge")
  for _ = 1, 7 do t:reply("billing", "payment.lookup", { ok = false, status = 500 }) end
  t:advance("6 days")
  for _ = 1, 7 do t:expect_called("billing", "payment.lookup") end
  t:expect_emitted("payment.answered", { outcome = "unknown", reason = "in flight" })
  t:expect_state { invoices = "in_1 1767603600 open;" }
  t:advance("40 days")
  t:reply("billing", "payment.lookup", { ok = true, body = { outcome = "none" } })
  ask(t)
  t:expect_called("billing", "payment.lookup")
  t:expect_emitted("payment.answered", { outcome = "declined", code = "not_received", class = "technical" })
  t:expect_nothing()
end)

test("what never reached the bank may be tried again after an hour", function(t)
  t:reply("billing", "payment.charge", { error = "refused" })
  ask(t)
  t:expect_called("billing", "payment.charge")
  t:advance("59 minutes")
  ask(t)
  t:expect_emitted("payment.answered", { reason = "too soon" })
  t:advance("1 minute")
  t:reply("billing", "payment.charge", paid)
  ask(t)
  t:expect_called("billing", "payment.charge")
end)

test("a request that cannot be understood charges nothing", function(t)
  for _, wrong in ipairs { { amount = 49.5 }, { amount = "4900" }, { amount = 0 }, { currency = "euro" },
    { invoice = "in 1; in_2" } } do
    ask(t, wrong)
    t:expect_emitted("payment.answered", { outcome = "refused", reason = "bad request", next_at = null })
  end
  ask(t, { asked_by = "nobody" })
  t:expect_verdict("skipped", "who waits for the answer")
  ask(t, { invoice = null })
  t:expect_verdict("no key")
  t:expect_nothing()
end)

test("Stripe's answers are understood as well: an invoice that is paid, and 402 with its decline", function(t)
  t:reply("billing", "payment.charge", { status = 402, body = { error = {
    code = "card_declined", decline_code = "insufficient_funds", network_advice_code = "24" } } })
  ask(t)
  t:expect_called("billing", "payment.charge")
  t:expect_emitted("payment.answered", { outcome = "declined", code = "insufficient_funds", advice = "24" })
  t:advance("1 day")
  t:reply("billing", "payment.charge", { ok = true, body = { id = "in_1", object = "invoice", status = "paid" } })
  ask(t)
  t:expect_called("billing", "payment.charge")
  t:expect_ended("paid")
end)

test("a card is asked for one invoice at a time: the next one waits for the first answer", function(t)
  t:reply("billing", "payment.charge", { no_reply = true })
  ask(t)
  t:expect_called("billing", "payment.charge", { invoice = "in_1" })
  t:advance("30 seconds")
  ask(t, { invoice = "in_2" })
  t:expect_emitted("payment.answered", { invoice = "in_2", reason = "in flight", next_at = 1767603720000 })
  t:expect_nothing()
  t:advance("90 seconds")
  t:reply("billing", "payment.charge", paid)
  ask(t, { invoice = "in_2" })
  t:expect_called("billing", "payment.charge", { invoice = "in_2" })
end)

test("what billing has tried by itself counts, and is counted once", function(t)
  -- Four tries of billing and six of ours are ten in a day, however often the same one is told.
  for number = 1, 4 do
    t:reply("billing", "payment.charge", declined("do_not_honor"))
    local tried_at = 1767603600000 - number * 7200000
    ask(t, { invoice = "in_" .. number, network = "mastercard", tried_at = tried_at, code = "processing_error" })
    t:expect_called("billing", "payment.charge", { invoice = "in_" .. number })
    ask(t, { invoice = "in_" .. number, network = "mastercard", tried_at = tried_at, code = "processing_error" })
    t:expect_emitted("payment.answered", { invoice = "in_" .. number, reason = "too soon" })
  end
  for number = 5, 6 do
    t:reply("billing", "payment.charge", declined("do_not_honor"))
    ask(t, { invoice = "in_" .. number, network = "mastercard" })
    t:expect_called("billing", "payment.charge", { invoice = "in_" .. number })
  end
  ask(t, { invoice = "in_7", network = "mastercard" })
  t:expect_emitted("payment.answered", { invoice = "in_7", reason = "limit" })
  t:expect_nothing()
end)

test("of a card that is named by its number, a try is looked up with the payment method it was made with", function(t)
  t:reply("billing", "payment.charge", { no_reply = true })
  for _ = 1, 7 do t:reply("billing", "payment.lookup", { status = 500 }) end
  ask(t, { payment_method = "pm_1" })
  t:expect_called("billing", "payment.charge", { payment_method = "pm_1" })
  t:advance("7 days")
  for _ = 1, 7 do t:expect_called("billing", "payment.lookup", { payment_method = "pm_1", tried_at = 1767603600000 }) end
  t:expect_ended("unknown: in flight")
  t:reply("billing", "payment.lookup", paid)
  ask(t, { payment_method = "pm_2" })
  t:expect_called("billing", "payment.lookup", { payment_method = "pm_1", tried_at = 1767603600000 })
  t:expect_emitted("payment.answered", { outcome = "paid" })
  ask(t, { invoice = "in_2", payment_method = { 1 } })
  t:expect_emitted("payment.answered", { outcome = "refused", reason = "bad request" })
  t:expect_nothing()
end)

test("who asks may have any id", function(t)
  t:reply("billing", "payment.charge", paid)
  ask(t, { asked_by = "user:ada of team 7 " .. ("x"):rep(150) })
  t:expect_called("billing", "payment.charge")
end)
