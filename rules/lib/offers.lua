-- When a customer may be made an offer, for all rules of the pack: one offer in 30 days, and none to whom help is due.
-- The answer is a sentence that stands in the verdict, or nil when nothing speaks against it.
local quiet_days = 30
local day = 86400 * 1000

local function refusal(traits, now)
  if traits.churned == true then return "the customer has left" end
  if traits.payment_failing == true then return "a payment is failing: no offers now" end
  if traits.access ~= nil and traits.access ~= "full" then return "access is not full: no offers now" end
  if type(traits.open_tickets) == "number" and traits.open_tickets > 0 then
    return "a ticket is open: help comes before offers"
  end
  if traits.health_band == "risk" then return "the customer is at risk: help comes before offers" end
  local last = traits.last_offer_at
  if type(last) == "number" and now - last < quiet_days * day then
    local days = math.max(0, math.tointeger((now - last) // day))
    local ago = days == 0 and "today" or days == 1 and "a day ago" or days .. " days ago"
    return "the offer '" .. tostring(traits.last_offer) .. "' was made " .. ago .. "; one in " .. quiet_days
      .. " days is enough"
  end
  return nil
end

-- An account has no payment and no tickets of its own: what its people told of late has to be fine as well.
-- `failed_at` and `paid_at` are when an invoice last failed and was last paid, `tickets` how many are open.
local function account_refusal(traits, now, failed_at, paid_at, tickets)
  if failed_at and failed_at > (paid_at or 0) then return "a payment is failing: no offers now" end
  if tickets > 0 then return "a ticket is open: help comes before offers" end
  return refusal(traits, now)
end

-- For `set`, when an offer is made.
local function made(name, now) return { last_offer = name, last_offer_at = now } end

return { refusal = refusal, account_refusal = account_refusal, made = made }
