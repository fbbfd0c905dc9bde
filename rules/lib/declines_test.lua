local declines = use("lib/declines")

test("each class of the networks' and Stripe's codes allows what it should", function(t)
  local expected = {
    person = { "revocation_of_authorization", "fraudulent", "stop_payment_order", "R1" },
    never = { "lost_card", "stolen_card", "pickup_card", "restricted_card", "do_not_try_again", "04", "41", "43" },
    new_data = { "expired_card", "incorrect_number", "invalid_account", "card_not_supported", "54" },
    present = { "authentication_required", "invoice_payment_intent_requires_action", "1A" },
    funds = { "insufficient_funds", "card_velocity_exceeded", "51" },
    vague = { "generic_decline", "do_not_honor", "call_issuer", "a_code_of_tomorrow" },
    technical = { "processing_error", "issuer_not_available", "not_received", "91" },
  }
  for class, codes in pairs(expected) do
    for _, code in ipairs(codes) do assert(declines.class(code) == class, code) end
  end
  for _, class in ipairs { "person", "never", "new_data", "present" } do
    assert(declines.allows[class].retry == false, class)
  end
  for _, class in ipairs { "funds", "vague", "technical" } do assert(declines.allows[class].retry == true, class) end
  assert(declines.allows.present.ask == "link" and declines.allows.never.ask == "card")
  assert(declines.allows.person.ask == nil)
end)

test("advice that says never wins, and a waiting time is in milliseconds", function(t)
  assert(declines.class("insufficient_funds", "03") == "never")
  assert(declines.class("insufficient_funds", "21") == "never")
  assert(declines.class("do_not_honor", "01") == "new_data")
  assert(declines.class("fraudulent", "01") == "person")
  assert(declines.class("lost_card", "24") == "never")
  local hours = { ["24"] = 1, ["25"] = 24, ["26"] = 48, ["27"] = 96, ["28"] = 144, ["29"] = 192, ["30"] = 240 }
  for advice, pause in pairs(hours) do
    local class, wait_ms = declines.class("do_not_honor", advice)
    assert(class == "vague" and wait_ms == pause * 3600000, advice)
  end
  -- A number that has lost its zero on the way, and nonsense.
  assert(declines.class("insufficient_funds", 3) == "never")
  local class, wait_ms = declines.class({}, true)
  assert(class == "vague" and wait_ms == nil)
end)

local function outcome(reply)
  local result = declines.read(reply)
  return result.outcome, result.code, result.advice
end

test("our answers are read", function(t)
  assert(outcome { ok = true, status = 200, body = { outcome = "paid" } } == "paid")
  local out, code, advice = outcome { ok = true, status = 200, body = { outcome = "declined", code = "05", advice = "24" } }
  assert(out == "declined" and code == "05" and advice == "24")
  out, code = outcome { ok = true, status = 200, body = { outcome = "authentication_required" } }
  assert(out == "declined" and code == "authentication_required")
  assert(outcome { ok = true, status = 200, body = { outcome = "none" } } == "none")
end)

test("Stripe's answers are read", function(t)
  assert(outcome { ok = true, status = 200, body = { object = "invoice", status = "paid" } } == "paid")
  assert(outcome { ok = true, status = 200, body = { object = "invoice", status = "void" } } == "closed")
  assert(outcome { ok = true, status = 200, body = { object = "invoice", status = "open" } } == "none")
  local open = { status = "open", payment_intent = { status = "processing" } }
  assert(outcome { ok = true, status = 200, body = open } == "unknown")
  open.payment_intent = { status = "requires_payment_method", last_payment_error = { decline_code = "do_not_honor" } }
  local out, code, advice = outcome { ok = true, status = 200, body = open }
  assert(out == "declined" and code == "do_not_honor")
  out, code, advice = outcome { ok = false, status = 402,
    body = { error = { code = "card_declined", decline_code = "insufficient_funds", advice_code = "try_again_later" } } }
  assert(out == "declined" and code == "insufficient_funds" and advice == "try_again_later")
  out, code = outcome { ok = false, status = 402, body = { error = { code = "invoice_payment_intent_requires_action" } } }
  assert(declines.class(code) == "present")
end)

test("what is not understood is unknown, and what never arrived was not tried", function(t)
  assert(outcome { ok = true, status = 200 } == "unknown")
  assert(outcome { ok = true, status = 200, body = "fine" } == "unknown")
  assert(outcome { ok = true, status = 200, body = { outcome = "perhaps" } } == "unknown")
  assert(outcome { ok = false, status = 500, unknown = true, body = { outcome = "paid" } } == "unknown")
  assert(outcome { ok = false, unknown = true } == "unknown")
  assert(outcome { ok = false, status = 400, body = { error = { message = "Invoice is already paid" } } } == "unknown")
  assert(outcome { ok = false, status = 409 } == "unknown")
  for _, status in ipairs { 0, 429, 503 } do assert(outcome { ok = false, status = status } == "none", status) end
end)

test("a failed charge tells code, advice, network and country, and nonsense tells nothing", function(t)
  local told = declines.of_charge {
    failure_code = "card_declined", outcome = { reason = "insufficient_funds", network_advice_code = "24" },
    payment_method_details = { card = { network = "mastercard", country = "DE" } },
  }
  assert(told.code == "insufficient_funds" and told.advice == "24")
  assert(told.network == "mastercard" and told.country == "DE")
  assert(declines.of_charge({ failure_code = "expired_card" }).code == "expired_card")
  told = declines.of_charge { failure_code = "", outcome = "no", payment_method_details = { card = 7 } }
  assert(told.code == nil and told.network == nil)
end)
