-- The same as upsell/limit_near where nobody reports a number: the events themselves are counted.
-- Here: exports of the last 30 days against the column `exports` of data/plans.csv. For another limit copy the file and
-- change the two names at `feature` and in `count`; they have to be written out, because counts are kept all the time.
-- Reads "Feature Used" { feature } and the trait plan.
local plans  = use("lib/plans")
local offers = use("lib/offers")

return rule {
  title    = "Offer a larger plan when the exports of 30 days come near the limit",
  on       = "Feature Used",
  when     = function(event, customer)
    if event.data.feature ~= "export" then return false end
    local used = count("Feature Used", "30 days", { match = { feature = "export" } })
    local level = plans.level(used, plans.limit(customer.traits.plan, "exports"))
    -- A level that was met counts for 30 days; a higher one counts at once.
    local met = state.level and now() - state.at < 30 * 86400 * 1000 and state.level or 0
    return level ~= nil and level > met
  end,
  topic    = "offers",
  priority = 20,
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer)
    local plan = plans.next_plan[customer.traits.plan]
    check(plan, "there is no larger plan")
    local refusal = offers.refusal(customer.traits, now())
    if refusal then skip(refusal) end
    local used = count("Feature Used", "30 days", { match = { feature = "export" } })
    local limit = plans.limit(customer.traits.plan, "exports")
    state.level, state.at = plans.level(used, limit), now()
    set(offers.made("limit_counted", now()))
    send("crm", "upsell.offer", {
      customer = customer.id, offer = "limit_counted", plan = plan, metric = "exports", used = used, limit = limit,
      percent = plans.percent(used, limit), reason = used .. " of " .. limit .. " exports in 30 days",
    })
  end,
}
