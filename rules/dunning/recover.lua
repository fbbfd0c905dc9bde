-- Recovers a failed payment: one run for each invoice. When and whether the card is tried again depends on why it was
-- declined; hard declines ask the customer for another card and wait for it. The card itself is charged by
-- charge.lua, which this rule asks. All numbers stand in lib/dunning.lua.
--
-- Reads   "Invoice Unpaid" of ledger.lua (id, amount_remaining, currency, subscription, hosted_invoice_url,
--         next_payment_attempt) and Stripe's "charge.failed" (invoice, payment_method, outcome, failure_code), in any order;
--         "payment_method.attached" and "payment_method.automatically_updated" (id, card); and, because Stripe tells these
--         apart, "invoice.updated" (next_payment_attempt) and "invoice.payment_action_required".
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
local function charge(customer, bill, case)
  emit("Payment Tried", { invoice = bill.invoice, card = bill.card, why = case.why })
  emit("payment.requested", {
    invoice = bill.invoice, amount = bill.amount, currency = bill.currency, network = bill.network,
    tried_at = bill.tried_at, tried_times = bill.tried_times, code = bill.code, advice = bill.advice,
    asked_by = "user:" .. customer.id, card_changed_at = case.changed_at,
    payment_method = bill.number and bill.card,
  }, { subject = "card:" .. (bill.number or bill.card) })
  return wait_for("payment.answered", { within = "12 days", match = { invoice = bill.invoice } })
end

-- Asks the customer, or a person of ours, for what only they can do: at once, and again on the days of the settings.
-- Answers when to look again.
local function remind_to_act(customer, bill, case, ends_at)
  case.asked_at = case.asked_at or now()
  local day = settings.ask_on_days[case.asked + 1]
  if day and case.asked_at + day * DAY <= now() then
    case.asked = case.asked + 1
    if case.class == "person" then
      tell(customer, bill, "dunning.review", { code = bill.code, tries = case.tries })
      case.asked = #settings.ask_on_days
    else
      local type = declines.allows[case.class].ask == "link" and "dunning.confirm" or "dunning.new_card"
      tell(customer, bill, type, { code = bill.code, asked = case.asked })
    end
    day = settings.ask_on_days[case.asked + 1]
  end
  return math.min(day and case.asked_at + day * DAY or ends_at, ends_at)
end

-- When the card is tried next; nil: not any more.
local function next_try(bill, case, ends_at)
  case.now = now()
  if case.put_off then return case.put_off end
  if not bill.card or not declines.allows[case.class].retry or case.tries >= settings.most_tries then return nil end
  local at = paydays.next_try(case.class, case)
  return at and at < ends_at and at or nil
end

-- What an answer that was no payment changes.
local function learn(bill, case, answer)
  case.put_off = nil
  if answer.outcome == "declined" then
    -- What billing tried by itself is in the books of charge.lua by now.
    bill.code, bill.advice, bill.tried_at = answer.code, answer.advice, nil
    case.class, case.tries, case.last_at = answer.class, case.tries + 1, now()
    case.technical = answer.class == "technical" and case.technical + 1 or 0
    case.not_before, case.why, case.changed_at = answer.next_at, "calendar", nil
  elseif answer.reason == "in flight" then
    -- The card is busy with another invoice: the same try, a little later.
    case.put_off = answer.next_at
  elseif answer.next_at then
    case.not_before = answer.next_at
  elseif case.class ~= "person" then
    case.class = "never"
  end
end

return rule {
  title   = "Recover a failed payment",
  on      = { "Invoice Unpaid", "charge.failed", "invoice.updated", "invoice.payment_action_required" },
  key     = {
    ["Invoice Unpaid"] = "data.id", ["charge.failed"] = "data.invoice", ["invoice.updated"] = "data.id",
    ["invoice.payment_action_required"] = "data.id",
  },
  when    = function(event) return event.name ~= "invoice.updated" or event.data.next_payment_attempt ~= nil end,
  collect = { up_to = 20, within = "1 minute" },  -- all of them, in whatever order they come
  second  = "ignore",
  again   = "never",                              -- one campaign for each invoice, whatever billing repeats
  stop_on = {
    ["invoice.voided"] = "data.id", ["invoice.marked_uncollectible"] = "data.id", ["invoice.deleted"] = "data.id",
  },
  goal    = { event = "invoice.paid", within = "90 days", key = "data.id" },
  class   = "transactional",
  owner   = "billing",
  run = function(event, customer, events)
    local bill = bills.join(events, now())
    check(bill.is_unpaid, "no word of an unpaid invoice has come with it")
    check(bill.amount and bill.currency, "the failed payment has no amount that can be understood")
    check(not bill.next_attempt, "billing itself has planned the next try: this campaign begins when it has given up")

    local ends_at = now() + settings.longest_days * DAY
    local class, wait_ms = declines.class(bill.code, bill.advice)
    local case = {
      class = class, technical = class == "technical" and 1 or 0, not_before = wait_ms and bill.tried_at + wait_ms,
      first_at = bill.tried_at, last_at = bill.tried_at, tries = 0, asked = 0, why = "calendar",
      offset = paydays.offset_minutes(customer.traits.timezone, bill.country), hour = state.good_hour,
      minute = random(0, 59),
    }
    local reminded
    while now() < ends_at do
      local planned = next_try(bill, case, ends_at)
      local look_at = planned or remind_to_act(customer, bill, case, ends_at)
      if planned and settings.remind_after_tries[case.tries] and reminded ~= case.tries and case.class ~= "technical" then
        reminded = case.tries
        tell(customer, bill, "dunning.reminder", { tries = case.tries, code = bill.code, next_try_at = planned })
      end

      local changed = wait_any({ "payment_method.attached", "payment_method.automatically_updated" },
        { within = within(look_at) })
      if changed and bills.concerns(bill, changed) then
        -- Another card, or the same with new data: one try at once, and the calendar begins anew.
        bills.take_card(bill, changed)
        case.why = changed.name == "payment_method.attached" and "new card" or "updated card"
        -- The change counts from when it came: what the bank has said to another invoice since holds.
        case.class, case.changed_at, case.first_at, case.not_before = "vague", math.min(changed.time, now()), now(), nil
        case.asked, case.asked_at, case.put_off, planned, changed = 0, nil, nil, now(), nil
      end
      if planned and not changed then
        local answered = charge(customer, bill, case)
        local outcome = answered and answered.data.outcome or "unknown"
        if outcome == "paid" then
          state.good_hour = paydays.hour_of(now(), case.offset)
          return finish("recovered")
        end
        if outcome == "closed" then return finish("closed elsewhere") end
        if outcome == "unknown" or answered.data.reason == "bad request" then
          -- Another try might charge twice: from here on it is a person's.
          tell(customer, bill, "dunning.review", { code = outcome, tries = case.tries })
          emit("Payment Unresolved", { invoice = bill.invoice, amount = bill.amount, currency = bill.currency })
          return finish("unresolved")
        end
        learn(bill, case, answered.data)
      end
    end

    local type = case.class == "person" and "dunning.review" or "dunning.lost"
    tell(customer, bill, type, { tries = case.tries, code = bill.code, end_action = settings.end_action })
    emit("Payment Lost", {
      invoice = bill.invoice, amount = bill.amount, currency = bill.currency, tries = case.tries, code = bill.code,
    })
    if settings.end_action == "cancel" and bill.subscription then
      send("billing", "subscription.cancel", { subscription = bill.subscription, invoice = bill.invoice })
    end
    finish("lost")
  end,
}
