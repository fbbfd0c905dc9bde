-- Somebody does on a small plan what others have a large one for, day after day, and still works: offer the next plan
-- before a limit has to stop them.
-- Reads "Feature Used" { feature } and the trait plan. How much is a lot stands in data/plans.csv, column heavy_uses:
-- uses in 30 days. A single wild day is no habit: a quarter of the month's amount has to lie outside of the last week.
local plans  = use("lib/plans")
local offers = use("lib/offers")
local fewest_features = 3

return rule {
  title    = "Offer the next plan to heavy users of a small one",
  on       = "Feature Used",
  again    = "60 days",
  when     = function(event, customer)
    local lot = plans.limit(customer.traits.plan, "heavy_uses")
    if not lot then return false end
    local month = count("Feature Used", "30 days")
    return month >= lot and month - count("Feature Used", "7 days") >= lot / 4
  end,
  topic    = "offers",
  priority = 10,
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer)
    local plan = plans.next_plan[customer.traits.plan]
    check(plan, "there is no larger plan")
    local used = count("Feature Used", "30 days")
    local features = distinct("Feature Used", "data.feature", "30 days")
    check(features >= fewest_features, "features used: " .. features .. ", too few for a larger plan to help")
    local refusal = offers.refusal(customer.traits, now())
    if refusal then skip(refusal) end
    set(offers.made("heavy_use", now()))
    send("crm", "upsell.offer", {
      customer = customer.id, offer = "heavy_use", plan = plan, used = used,
      reason = used .. " uses of " .. features .. " features in 30 days",
    })
  end,
}
