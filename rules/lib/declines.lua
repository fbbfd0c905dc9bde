-- Why a card was declined, and what that allows. The words are Stripe's decline codes; the numbers are the answers of
-- the card networks, as other processors pass them on. A code that nobody knows is "vague": it may be tried, slowly.

local words = {
  -- The card's owner or the issuer has said no for good, or fraud is in the air: a person looks first, and no mail.
  person = "revocation_of_authorization revocation_of_all_authorizations stop_payment_order fraudulent "
    .. "merchant_blacklist highest_risk_level security_violation 07 59 R0 R1 R3",
  -- This card will never pay: no try at all, another card is needed.
  never = "lost_card stolen_card pickup_card restricted_card do_not_try_again card_reported 04 15 41 43 46 62",
  -- The number or the date is wrong: the card may come back with new data, by its holder or by the networks.
  new_data = "expired_card incorrect_number incorrect_cvc invalid_cvc invalid_account invalid_number "
    .. "invalid_expiry_month invalid_expiry_year card_not_supported currency_not_supported confirm_card_data "
    .. "new_account_information_available 14 54",
  -- The bank wants to see the customer: a blind try is declined again.
  present = "authentication_required invoice_payment_intent_requires_action 65 1A",
  -- Not enough on the account today.
  funds = "insufficient_funds card_velocity_exceeded withdrawal_count_limit_exceeded 51 61",
  -- No, without a reason that helps.
  vague = "generic_decline card_declined do_not_honor call_issuer transaction_not_allowed no_action_taken "
    .. "try_again_later not_permitted 05 57",
  -- A machine failed on the way.
  technical = "processing_error issuer_not_available reenter_transaction gateway_timeout not_received lock_timeout "
    .. "rate_limit 19 91 96",
}

-- Mastercard's advice to merchants: a class, or how many hours nobody may try for.
local HOUR = 60 * 60 * 1000
local advice = {
  ["01"] = { class = "new_data" }, ["02"] = { wait_ms = 72 * HOUR }, ["03"] = { class = "never" },
  ["21"] = { class = "never" }, ["24"] = { wait_ms = HOUR }, ["25"] = { wait_ms = 24 * HOUR },
  ["26"] = { wait_ms = 48 * HOUR }, ["27"] = { wait_ms = 96 * HOUR }, ["28"] = { wait_ms = 144 * HOUR },
  ["29"] = { wait_ms = 192 * HOUR }, ["30"] = { wait_ms = 240 * HOUR },
  do_not_try_again = { class = "never" }, confirm_card_data = { class = "new_data" },
}

-- What each class allows. `retry`: the same card may be tried again. `ask`: what the customer is asked for.
local allows = {
  person    = { retry = false },
  never     = { retry = false, ask = "card" },
  new_data  = { retry = false, ask = "card" },
  present   = { retry = false, ask = "link" },
  funds     = { retry = true },
  vague     = { retry = true },
  technical = { retry = true },
}

local class_of = {}
for class, list in pairs(words) do
  for word in list:gmatch("%S+") do class_of[word] = class end
end

local function text(value)
  if type(value) == "string" and value ~= "" then return value end
  if math.type(value) == "integer" then return string.format("%02d", value) end
end

local function part(value) return type(value) == "table" and value or {} end

-- The class of a decline, and for how many milliseconds the network forbids another try. Advice that says never wins
-- over every code; a person comes before everything.
local function class(code, hint)
  local found = class_of[text(code) or ""] or "vague"
  local told = advice[text(hint) or ""]
  if told and told.class and found ~= "person" and found ~= "never" then found = told.class end
  return found, told and told.wait_ms or nil
end

-- Code, advice and network of a failed charge, as Stripe's charge.failed tells them.
local function of_charge(charge)
  local outcome, card = part(charge.outcome), part(part(charge.payment_method_details).card)
  return {
    code = text(outcome.reason) or text(charge.failure_code) or text(outcome.network_decline_code),
    advice = text(outcome.network_advice_code) or text(outcome.advice_code),
    network = text(card.network) or text(card.brand), country = text(card.country),
    number = text(card.fingerprint), -- the same for each payment method with this card number
  }
end

-- Stripe's error, in an answer of 402 or in a payment intent that failed.
local function of_error(failure)
  return {
    outcome = "declined",
    code = text(failure.decline_code) or text(failure.code) or text(failure.network_decline_code),
    advice = text(failure.network_advice_code) or text(failure.advice_code),
  }
end

local ours = { paid = true, declined = true, none = true, closed = true, unknown = true }
local by_status = { paid = "paid", void = "closed", uncollectible = "closed", open = "none", draft = "none" }

-- What the answer to a charge or to a look-up says, ours ({ outcome, code, advice }) or Stripe's (an invoice, or an
-- error): outcome "paid", "declined" with code and advice, "none" (nothing was tried), "closed" (there is nothing
-- left to pay), or "unknown" when nobody can tell. Whatever is not understood is unknown, and so is looked up.
local function read(reply)
  local body = part(reply.body)
  if reply.unknown then return { outcome = "unknown" } end
  if body.outcome == "authentication_required" then
    return { outcome = "declined", code = "authentication_required" }
  end
  if ours[body.outcome] then
    return { outcome = body.outcome, code = text(body.code), advice = text(body.advice) }
  end
  if reply.ok then
    local intent = part(body.payment_intent)
    if body.status == "open" and intent.status == "processing" then return { outcome = "unknown" } end
    if body.status == "open" and type(intent.last_payment_error) == "table" then
      return of_error(intent.last_payment_error)
    end
    return { outcome = by_status[body.status] or "unknown" }
  end
  local failure = part(body.error)
  if reply.status == 402 then return of_error(failure) end
  -- It never left here, or was turned away at the door.
  if not reply.status or reply.status == 0 or reply.status == 429 or reply.status == 503 then
    return { outcome = "none" }
  end
  return { outcome = "unknown" }
end

return { class = class, allows = allows, read = read, of_charge = of_charge }
