-- Recovers a failed payment: one run for each invoice. When and whether the card is tried again depends on why it was
-- declined; hard declines ask the customer for another card and wait for it. The card itself is charged by
-- charge.lua, which this rule asks. All numbers stand in lib/dunning.lua.
--
-- Reads   "invoice.payment_failed" (id, amount_remaining, currency, subscription, hosted_invoice_url,
--         next_payment_attempt) and "charge.failed" (invoice, payment_method, outcome, failure_code), in any order;
--         "payment_method.attached" and "payment_method.automatically_updated" (id, card).
-- Sends   to crm "dunning.reminder", "dunning.new_card", "dunning.confirm", "dunning.review" and "dunning.lost", to
--         billing "subscription.cancel" if the settings say so. Emits "Payment Tried", "Payment Lost"
--         and "Payment Unresolved".
-- Ends    recovered, lost, closed elsewhere or unresolved; `goal` when it was paid, `stopped` when it was voided.
local bills = use("lib/bills")
local declines = use("lib/declines")
local paydays = use("lib/paydays")
local settings = use("lib/dunning")

local DAY = 24 * 60 * 60 * 1000

-- A wait that ends at a moment.
local function within(moment) return math.max(1, (moment - now() + 999) // 1000) .. " seconds" end

local function tell(customer, bill, type, more)
  more.customer, more.invoice, more.amount, more.currency = customer.id, bill.invoice, bill.amount, bill.currency
  more.url = bill.url
  send("crm", type, more)
end

-- Asks for a charge, and sleeps until it is answered: for days, when the outcome has to be looked up.
local function charge(customer, bill, why, changed_at)
  emit("Payment Tried", { invoice = bill.invoice, card = bill.card, why = why })
  emit("payment.requested", {
    invoice = bill.invoice, amount = bill.amount, currency = bill.currency, network = bill.network,
    tried_at = bill.tried_at, code = bill.code, advice = bill.advice,
    asked_by = "user:" .. customer.id, card_changed_at = changed_at,
  }, { subject = "card:" .. bill.card })
  return wait_for("payment.answered", { within = "12 days", match = { invoice = bill.invoice } })
end

return rule {
  title   = "Recover a failed payment",
  on      = { "invoice.payment_failed", "charge.failed" },
  key     = { ["invoice.payment_failed"] = "data.id", ["charge.failed"] = "data.invoice" },
  collect = { up_to = 20, within = "1 minute" },  -- both events, in whatever order they come
  second  = "ignore",
  again   = "never",                              -- one campaign for each invoice, whatever billing repeats
  stop_on = {
    ["invoice.voided"] = "data.id", ["invoice.marked_uncollectible"] = "data.id", ["invoice.deleted"] = "data.id",
  },
  goal    = { event = "invoice.paid", within = "90 days", key = "data.id" },
  class   = "transactional",
  owner   = "billing",
  run = function(event, customer, events)
    local bill = bills.join(events)
    check(bill.amount and bill.currency, "the failed payment has no amount that can be understood")
    check(not bill.next_attempt, "billing itself has planned the next try: this campaign begins when it has given up")

    local ends_at = now() + settings.longest_days * DAY
    local class, wait_ms = declines.class(bill.code, bill.advice)
    local past = {
      first_at = bill.tried_at or now(), last_at = bill.tried_at or now(), tries = 0,
      technical = class == "technical" and 1 or 0, not_before = wait_ms and now() + wait_ms,
      offset = paydays.offset_minutes(customer.traits.timezone, bill.country), hour = state.good_hour,
      minute = random(0, 59),
    }
    -- Of those whom a new card is asked for: how often, and since when.
    local asked, asked_at, reminded = 0, now(), nil

    while now() < ends_at do
      local allowed, planned = declines.allows[class], nil
      past.now = now()
      if bill.card and allowed.retry and past.tries < settings.most_tries then
        planned = paydays.next_try(class, past)
        if planned and planned >= ends_at then planned = nil end
      end
      local until_at = planned
      if planned then
        if settings.remind_after_tries[past.tries] and reminded ~= past.tries and class ~= "technical" then
          reminded = past.tries
          tell(customer, bill, "dunning.reminder", { tries = past.tries, code = bill.code, next_try_at = planned })
        end
      else
        -- Only the customer, or a person of ours, can help now.
        if asked == 0 then asked_at = now() end
        local day = settings.ask_on_days[asked + 1]
        if day and asked_at + day * DAY <= now() then
          asked = asked + 1
          if class == "person" then
            tell(customer, bill, "dunning.review", { code = bill.code, tries = past.tries })
            asked = #settings.ask_on_days
          else
            tell(customer, bill, allowed.ask == "link" and "dunning.confirm" or "dunning.new_card",
              { code = bill.code, asked = asked })
          end
          day = settings.ask_on_days[asked + 1]
        end
        until_at = math.min(day and asked_at + day * DAY or ends_at, ends_at)
      end

      local changed = wait_any({ "payment_method.attached", "payment_method.automatically_updated" },
        { within = within(until_at) })
      local answered, changed_at
      if changed and bills.concerns(bill, changed) then
        -- Another card, or the same with new data: one try at once, and the calendar begins anew.
        bills.take_card(bill, changed)
        changed_at, class, asked, past.first_at, past.not_before = now(), "vague", 0, now(), nil
        answered = charge(customer, bill, changed.name == "payment_method.attached" and "new card" or "updated card",
          changed_at)
      elseif not changed and planned then
        answered = charge(customer, bill, "calendar")
      end

      if changed_at or (planned and not changed) then
        local outcome = answered and answered.data.outcome or "unknown"
        if outcome == "paid" then
          state.good_hour = paydays.hour_of(now(), past.offset)
          return finish("recovered")
        end
        if outcome == "closed" then return finish("closed elsewhere") end
        if outcome == "unknown" or answered.data.reason == "bad request" then
          -- Another try might charge twice: from here on it is a person's.
          tell(customer, bill, "dunning.review", { code = outcome, tries = past.tries })
          emit("Payment Unresolved", { invoice = bill.invoice, amount = bill.amount, currency = bill.currency })
          return finish("unresolved")
        end
        if outcome == "declined" then
          -- What billing tried by itself is in the books of charge.lua by now.
          bill.code, bill.advice, bill.tried_at = answered.data.code, answered.data.advice, nil
          class, past.tries, past.last_at = answered.data.class, past.tries + 1, now()
          past.technical = class == "technical" and past.technical + 1 or 0
          past.not_before = answered.data.next_at
        elseif answered.data.next_at then
          past.not_before = answered.data.next_at
        elseif class ~= "person" then
          class = "never"
        end
      end
    end

    local type = class == "person" and "dunning.review" or "dunning.lost"
    tell(customer, bill, type, { tries = past.tries, code = bill.code, end_action = settings.end_action })
    emit("Payment Lost", {
      invoice = bill.invoice, amount = bill.amount, currency = bill.currency, tries = past.tries, code = bill.code,
    })
    if settings.end_action == "cancel" and bill.subscription then
      send("billing", "subscription.cancel", { subscription = bill.subscription, invoice = bill.invoice })
    end
    finish("lost")
  end,
}
