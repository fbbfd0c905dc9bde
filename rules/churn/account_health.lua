-- The health of an account, from what all of its people did: not the mean of their scores, because ten new people
-- who do nothing would hide that the two who pay the bill have gone. Use is the number of days on which somebody
-- worked, seats are those who came in 30 days. An account whose champion is in risk or has left is no better than
-- "watch", whatever the others do.
-- Reads "Seat Active" { user } (made by churn/active_seat), "Feature Used", "Ticket Opened", "Ticket Solved", the
-- invoices of its people, "Champion Band Changed" and "Champion Left", and the account's traits plan and seats.
local health = use("lib/health")
local day = 86400 * 1000
local new_days = 14

return rule {
  title = "Judge every morning how accounts are",
  on    = every("06:00", { for_each = "account", segment = "customer_accounts" }),
  owner = "success",
  run = function(event, customer)
    local traits = customer.traits
    local first_at, last_at = first("Seat Active", "366 days"), last("Seat Active", "366 days")
    local age = first_at and (now() - first_at) / day or 0
    check(age >= new_days, "known for less than " .. new_days .. " days: too new to judge")

    local uses, longer = count("Seat Active", "30 days"), count("Seat Active", "120 days")
    local used_days = math.min(120, age)
    local usual = used_days >= 60 and (longer - uses) / (used_days - 30) * 30 or nil
    local failed_at, paid_at = last("invoice.payment_failed", "90 days"), last("invoice.paid", "90 days")
    local value, band, reasons = health.judge({
      uses = uses, usual = usual and usual >= 5 and usual or nil,
      features = first("Feature Used", "366 days") and distinct("Feature Used", "data.feature", "30 days") or nil,
      active = distinct("Seat Active", "data.user", "30 days"), seats = traits.seats,
      silent_days = (now() - last_at) / day,
      tickets = count("Ticket Opened", "30 days"), worst_rating = min("Ticket Solved", "data.rating", "60 days"),
      failing = failed_at ~= nil and failed_at > (paid_at or 0), failures = count("invoice.payment_failed", "90 days"),
    }, traits)
    if not value then skip(band) end

    local told = {}
    if count("Champion Left", "60 days") > 0 then
      told[1] = "the champion has left"
    elseif last("Champion Band Changed", "data.band", "90 days") == "risk" then
      told[1] = "the champion is at risk"
    end
    if told[1] and band == "good" then band = "watch" end
    for _, reason in ipairs(reasons) do
      if #told < 3 then table.insert(told, reason) end
    end
    check(health.matters(traits, value, band), "nothing has changed that matters")
    local list = #told > 0 and told or empty_list
    set { health = value, health_band = band, health_reasons = list }
    if band == traits.health_band then return finish("still " .. band) end
    emit("Health Band Changed", { from = traits.health_band, to = band, health = value, reasons = list })
  end,
}
