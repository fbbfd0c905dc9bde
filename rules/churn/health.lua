-- The health of every customer, anew each morning: a score from 0 to 100, a band ("good", "watch", "risk") and the
-- three reasons that cost most, such as "-20 payment: a payment is failing". Sends nothing to anybody. Use is held
-- against the customer's own past and nobody else's. What weighs how much stands in lib/health.
-- Reads "Feature Used" { feature }, "Signed In", "Ticket Opened", "Ticket Solved" { rating }, invoice.payment_failed
-- and the traits payment_failing and access. Who has left keeps the score of the day before: see churn/churned.
local health = use("lib/health")
local day = 86400 * 1000
local new_days = 14   -- nobody is judged before

return rule {
  title = "Judge every morning how customers are",
  on    = every("05:00", { for_each = "user", segment = "customers" }),
  owner = "success",
  run = function(event, customer)
    local traits = customer.traits
    local used_at, signed_at = first("Feature Used", "366 days"), first("Signed In", "366 days")
    local age = (now() - math.min(used_at or now(), signed_at or now())) / day
    check(age >= new_days, "known for less than " .. new_days .. " days: too new to judge")

    local uses, longer = count("Feature Used", "30 days"), count("Feature Used", "120 days")
    local used_days = math.min(120, used_at and (now() - used_at) / day or 0)
    local usual = used_days >= 60 and (longer - uses) / (used_days - 30) * 30 or nil
    local value, band, reasons = health.judge({
      uses = uses, usual = usual and usual >= 5 and usual or nil,
      features = used_at and distinct("Feature Used", "data.feature", "30 days") or nil,
      silent_days = signed_at and (now() - last("Signed In", "366 days")) / day or nil,
      tickets = count("Ticket Opened", "30 days"), worst_rating = min("Ticket Solved", "data.rating", "60 days"),
      failing = traits.payment_failing == true or (traits.access ~= nil and traits.access ~= "full"),
      failures = count("invoice.payment_failed", "90 days"),
    }, traits)
    if not value then skip(band) end
    check(health.matters(traits, value, band), "nothing has changed that matters")

    local told = #reasons > 0 and reasons or empty_list
    set { health = value, health_band = band, health_reasons = told }
    if band == traits.health_band then return finish("still " .. band) end
    emit("Health Band Changed", { from = traits.health_band, to = band, health = value, reasons = told })
    if traits.champion == true and customer.account then
      emit("Champion Band Changed", { user = customer.id, band = band }, { subject = "account:" .. customer.account })
    end
  end,
}
