-- Customers who use in a week less than 40 percent of what is usual for them. Usual is the mean of the eight weeks before.
-- Whole weeks are compared with whole weeks, so that weekends are no drop. Who is inside needs 70 percent to be out again.
-- Below ten uses a week there is no habit to fall from.
local inside_below, outside_from, fewest = 0.4, 0.7, 10

return segment {
  title = "Uses far less than usual",
  when  = function(customer)
    if customer.traits.plan == nil or customer.traits.churned == true then return false end
    local week = count("Feature Used", "7 days")
    local usual = (count("Feature Used", "63 days") - week) / 8
    local border = state.inside and outside_from or inside_below
    return usual >= fewest and week < usual * border
  end,
}
