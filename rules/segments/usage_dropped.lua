-- Customers who use in a week less than 40 percent of what is usual for them. Usual is the mean of the weeks before,
-- up to eight and at least two. Whole weeks are compared with whole weeks, so that weekends are no drop. Who is
-- inside needs 70 percent to be out again. Below three uses a week there is no habit to fall from.
local inside_below, outside_from, fewest = 0.4, 0.7, 3
local week_ms = 7 * 86400 * 1000

return segment {
  title = "Uses far less than usual",
  when  = function(customer)
    if customer.traits.plan == nil or customer.traits.churned == true then return false end
    local week = count("Feature Used", "7 days")
    local weeks = (now() - (first("Feature Used", "63 days") or now())) / week_ms - 1
    if weeks < 2 then return false end
    local usual = (count("Feature Used", "63 days") - week) / math.min(8, weeks)
    local border = state.inside and outside_from or inside_below
    return usual >= fewest and week < usual * border
  end,
}
