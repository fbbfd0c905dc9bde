-- One failed payment from the two events that tell of it: the invoice, and the charge with its decline.
local declines = use("lib/declines")
local money = use("lib/money")

local function text(value) return type(value) == "string" and value ~= "" and #value <= 200 and value or nil end

-- The first of these that is a whole number of minor units; nil when that is nothing to pay, or less.
local function amount(...)
  for place = 1, select("#", ...) do
    local value = select(place, ...)
    if math.type(value) == "integer" then return value > 0 and value or nil end
  end
end

-- Whether billing means to try again by itself: a moment to come, in seconds as Stripe tells it, or in milliseconds.
local function is_planned(moment, now)
  if type(moment) ~= "number" then return moment ~= nil end
  return moment * (moment < 1e11 and 1000 or 1) > now
end

-- Events of either kind, in any order; the newest of each counts. A billing system that sends no charge.failed may put
-- failure_code, advice, network and payment_method into invoice.payment_failed, and "Invoice Unpaid" has them, too.
-- "invoice.updated" brings the plan for the next try where Stripe's own automations are on, and
-- "invoice.payment_action_required" says that the bank wants to see the customer.
local function join(events, now)
  local bill, invoice, charge, has_to_act = {}, {}, nil, false
  for _, one in ipairs(events) do
    if one.name == "invoice.updated" then
      bill.next_attempt = is_planned(one.data.next_payment_attempt, now) and one.data.next_payment_attempt or nil
    elseif one.name == "invoice.payment_action_required" then
      has_to_act = true
    else
      bill.tried_at = bill.tried_at and math.max(bill.tried_at, one.time) or one.time
      if one.name == "charge.failed" then charge = one.data else invoice, bill.is_unpaid = one.data, true end
    end
  end
  local decline = charge and declines.of_charge(charge) or {}
  local paid_by = charge or {}
  bill.invoice = text(invoice.id) or text(paid_by.invoice)
  bill.amount = amount(invoice.amount_remaining, invoice.amount_due, paid_by.amount)
  bill.currency = money.currency(invoice.currency) or money.currency(paid_by.currency)
  bill.subscription, bill.url = text(invoice.subscription), text(invoice.hosted_invoice_url)
  bill.next_attempt = invoice.next_payment_attempt or bill.next_attempt
  -- How often billing has tried by itself until now.
  bill.tried_times = math.type(invoice.attempt_count) == "integer" and invoice.attempt_count or nil
  bill.card = text(paid_by.payment_method) or text(invoice.payment_method)
  bill.number = decline.number
  bill.code = decline.code or text(invoice.failure_code) or has_to_act and "authentication_required" or nil
  bill.advice = decline.advice or text(invoice.advice)
  bill.network = decline.network or text(invoice.network)
  bill.country = decline.country
  return bill
end

-- Whether a change of cards is one for this bill: any new card, or new data of its own.
local function concerns(bill, changed)
  local card = text(changed.data.id)
  if changed.name == "payment_method.attached" then return card ~= nil end
  return card ~= nil and (bill.card == nil or card == bill.card)
end

-- From here on the bill is paid with that card; nothing is known of it yet but what the event tells.
local function take_card(bill, changed)
  local card = type(changed.data.card) == "table" and changed.data.card or {}
  bill.card, bill.network = changed.data.id, text(card.network) or text(card.brand)
  bill.number = text(card.fingerprint)
  bill.country = text(card.country) or bill.country
  bill.code, bill.advice, bill.tried_at, bill.tried_times = nil, nil, nil, nil
end

return { join = join, amount = amount, concerns = concerns, take_card = take_card }
