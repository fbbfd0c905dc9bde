-- Somebody comes near a limit of their plan, or reaches it: offer the plan that has room. For customers whose
-- product reports what they use.
-- Reads "Usage Reported" { metric, used, limit, period_end } and the trait plan. Levels (80 and 100 percent) stand
-- in lib/plans. Each is met once for each metric and period, so that a number that goes up and down around the
-- border makes one offer. An offer that is refused is not spent: the next report tries again.
local plans  = use("lib/plans")
local offers = use("lib/offers")

return rule {
  title    = "Offer a larger plan when a reported limit is near",
  on       = "Usage Reported",
  key      = "data.metric",
  when     = function(event)
    local level = plans.level(event.data.used, event.data.limit)
    -- Without a period in the event the memory is that of the offers themselves: 30 days, in lib/offers.
    local period = plans.period(event.data.period_end)
    local met = state["period " .. event.data.metric] == period and state["level " .. event.data.metric]
    return level ~= nil and (not met or period == nil or level > met)
  end,
  topic    = "offers",
  priority = 30,
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer)
    local d = event.data
    local plan = plans.next_plan[customer.traits.plan]
    check(plan, "there is no larger plan")
    local refusal = offers.refusal(customer.traits, now())
    if refusal then skip(refusal) end
    state["level " .. d.metric], state["period " .. d.metric] = plans.level(d.used, d.limit), plans.period(d.period_end)
    set(offers.made("limit_near", now()))
    send("crm", "upsell.offer", {
      customer = customer.id, offer = "limit_near", plan = plan, metric = d.metric, used = d.used, limit = d.limit,
      percent = plans.percent(d.used, d.limit),
      reason = plans.percent(d.used, d.limit) .. " % of " .. d.metric .. " are used",
    })
  end,
}
