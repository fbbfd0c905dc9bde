-- Somebody knocks at doors that their plan does not open, again and again: one message about all of them, with the
-- smallest plan that opens them all. One knock may be a slip; three in a week are a wish.
-- Reads "Feature Blocked" { feature, plan }. Which plan has what stands in data/features.csv.
local plans  = use("lib/plans")
local offers = use("lib/offers")
local knocks = 3

return rule {
  title    = "Offer the plan that has what was tried",
  on       = "Feature Blocked",
  collect  = { up_to = 5, within = "1 hour" },
  when     = function(event) return plans.plan_with({ event.data.feature }, event.data.plan) ~= nil end,
  again    = "14 days",
  topic    = "offers",
  priority = 40,
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer, events)
    local times = count("Feature Blocked", "7 days")
    check(times >= knocks, "attempts in a week: " .. times .. ", that may be a slip")
    local tried, seen = {}, {}
    for _, attempt in ipairs(events) do
      local feature = attempt.data.feature
      if not seen[feature] then
        seen[feature] = true
        table.insert(tried, feature)
      end
    end
    local refusal = offers.refusal(customer.traits, now())
    if refusal then skip(refusal) end
    set(offers.made("feature_gate", now()))
    send("crm", "upsell.offer", {
      customer = customer.id, offer = "feature_gate", features = tried, attempts = times,
      plan = plans.plan_with(tried, event.data.plan),
      reason = "tried " .. table.concat(tried, ", ") .. ", " .. times .. " times in a week",
    })
  end,
}
