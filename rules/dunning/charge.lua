-- The only rule that charges a card. Campaigns ask it and wait for its answer, so that the limits of the card networks
-- hold over all of them: check, counter and call are one decision, and the counter is stored before the call leaves.
--
-- Reads   "payment.requested" about the card: invoice, amount (minor units), currency, asked_by ("user:42"), network;
--         what is known of the last try that others have made: tried_at (ms), code, advice, tried_times (how many there
--         were); and card_changed_at (ms), when the customer has just renewed the card. Is the card named by its number
--         (Stripe's fingerprint) and not by its payment method, then payment_method, too: the networks count by number.
-- Answers "payment.answered" to asked_by: invoice, outcome ("paid", "declined", "refused", "unknown", "closed"), for a
--         decline code, advice and class; for a refusal reason ("never", "limit", "too soon", "in flight", "bad
--         request") and next_at (ms), the earliest moment at which asking again makes sense; it has none when that is never.
--
-- An invoice in flight is not asked again: who asks meanwhile hears the answer of the first. An answer that does not
-- come is looked up, and nothing else is tried for the invoice until it is known.
local declines = use("lib/declines")
local settings = use("lib/dunning")
local tries = use("lib/tries")

local SECOND, MINUTE, HOUR = 1000, 60 * 1000, 60 * 60 * 1000

local function is_moment(value) return math.type(value) == "integer" and value > 0 end

local function is_text(value, form) return type(value) == "string" and #value <= 250 and value:find(form) ~= nil end

local function answer(ask, fields)
  fields.invoice, fields.amount, fields.currency = ask.invoice, ask.amount, ask.currency
  emit("payment.answered", fields, { subject = ask.asked_by })
  return finish(fields.reason and fields.outcome .. ": " .. fields.reason or fields.outcome)
end

-- What the network forbids after such a decline, for this card and whoever asks.
local function heed(class, wait_ms, code, at)
  if class == "never" or class == "person" then state.never, state.never_at = code or class, at end
  if wait_ms then state.not_before = math.max(state.not_before or 0, at + wait_ms) end
end

-- The reason why this card must not be tried now, and the earliest moment for it.
local function refusal(ask, book, key, last)
  if state.never then return "never" end
  -- One at a time: what the bank says to the first may forbid the second.
  if (state.calling_at or 0) + 2 * MINUTE > now() then return "in flight", state.calling_at + 2 * MINUTE end
  local earliest = tries.next_at(book, key, ask.network, now())
  if earliest > now() then return "limit", earliest end
  if (state.not_before or 0) > now() then return "limit", state.not_before end
  if last and last.at >= (state.changed_at or 0) then
    local hours = last.ended == "technical" and settings.hours_between_technical_tries or settings.hours_between_tries
    if last.at + hours * HOUR > now() then return "too soon", last.at + hours * HOUR end
  end
end

-- Invoice, card and tried_at name one try.
local function look_up(ask, card, invoices)
  local try = invoices[ask.invoice]
  return declines.read(call("billing", "payment.lookup", {
    invoice = ask.invoice, payment_method = try.method or card, tried_at = try.at,
  }))
end

return rule {
  title  = "Charge a card, within the limits of its network",
  on     = "payment.requested",
  per    = "card",
  key    = "data.invoice",
  second = "ignore",
  class  = "transactional",
  owner  = "billing",
  run = function(event, customer)
    local ask = event.data
    check(is_text(ask.asked_by, "^[%w_]+:.+$"), "asked_by has to say who waits for the answer, such as user:42")
    if not is_text(ask.invoice, "^[%w_.:/-]+$") or not is_text(ask.currency, "^%a%a%a$")
      or not is_moment(ask.amount) or ask.payment_method and not is_text(ask.payment_method, "^[^%s;]+$") then
      return answer(ask, { outcome = "refused", reason = "bad request" })
    end

    local key = ask.amount .. " " .. ask.currency:upper()
    local book, invoices = tries.read(state.tries), tries.read_invoices(state.invoices)
    local last = invoices[ask.invoice]
    if last and last.ended == "paid" then return answer(ask, { outcome = "paid" }) end

    -- A changed card begins anew, but for the counter: it may have kept its number. One that is named by its number has
    -- kept it, and what the bank has said of it holds.
    local changed_at = is_moment(ask.card_changed_at) and ask.card_changed_at or 0
    if changed_at <= now() and changed_at > (state.changed_at or 0) then
      state.changed_at = changed_at
      if not ask.payment_method and (state.never_at or 0) < changed_at then
        state.never, state.never_at, state.not_before = nil, nil, nil
      end
    end
    -- What others have tried counts, too.
    if is_moment(ask.tried_at) and ask.tried_at <= now() then
      local class, wait_ms = declines.class(ask.code, ask.advice)
      tries.learn(book, key, ask.tried_at, math.type(ask.tried_times) == "integer" and ask.tried_times or 1)
      if not last then
        last = { at = ask.tried_at, ended = class == "technical" and class or "declined" }
        if ask.tried_at > (state.changed_at or 0) then heed(class, wait_ms, ask.code, ask.tried_at) end
      end
    end

    local result = { outcome = "unknown" }
    if last and last.ended == "open" then
      -- Nobody has learned yet how the last try ended.
      result = look_up(ask, customer.id, invoices)
    else
      local reason, next_at = refusal(ask, book, key, last)
      if not reason then
        tries.note(book, key, now())
        invoices[ask.invoice] = { at = (now() + SECOND - 1) // SECOND * SECOND, ended = "open", method = ask.payment_method }
      end
      local book_text, has_room = tries.write(book, now())
      local invoices_text, has_room_too = tries.write_invoices(invoices, now())
      if not (has_room and has_room_too) then reason, next_at = "limit", now() + 24 * HOUR end
      if has_room then state.tries = book_text end
      if reason then return answer(ask, { outcome = "refused", reason = reason, next_at = next_at }) end
      local called_at = now()
      state.invoices, state.calling_at = invoices_text, called_at
      result = declines.read(call("billing", "payment.charge", {
        invoice = ask.invoice, amount = ask.amount, currency = ask.currency,
        payment_method = ask.payment_method or customer.id, tried_at = invoices[ask.invoice].at,
      }, { within = "60 s" }))
      if state.calling_at == called_at then state.calling_at = nil end
    end
    for _, pause in ipairs(settings.look_up_after) do
      if result.outcome ~= "unknown" then break end
      wait(pause)
      result = look_up(ask, customer.id, tries.read_invoices(state.invoices))
    end
    if result.outcome == "unknown" then return answer(ask, { outcome = "unknown", reason = "in flight" }) end

    -- Nothing reached the bank: as good as a machine that failed on the way.
    if result.outcome == "none" then result = { outcome = "declined", code = "not_received" } end
    local class, wait_ms = declines.class(result.code, result.advice)
    local ended = result.outcome == "declined" and (class == "technical" and class or "declined") or "paid"
    -- Other invoices of this card may have moved on since.
    invoices = tries.read_invoices(state.invoices)
    invoices[ask.invoice].ended = ended
    state.invoices = tries.write_invoices(invoices, now())
    if result.outcome ~= "declined" then return answer(ask, { outcome = result.outcome }) end
    heed(class, wait_ms, result.code, now())
    answer(ask, {
      outcome = "declined", code = result.code, advice = result.advice, class = class, next_at = state.not_before,
    })
  end,
}
