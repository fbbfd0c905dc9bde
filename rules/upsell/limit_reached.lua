-- Somebody is at the end of a limit: tell them as a fact, so that nobody learns it from a refusal in the middle of
-- work. This is no offer. It goes out also when offers are withdrawn, spent or out of place; whether there is
-- something to buy is upsell/limit_near's question.
-- Reads "Usage Reported" { metric, used, limit, period_end }. Once for each metric and period; without a period once
-- in 30 days.
local plans = use("lib/plans")

return rule {
  title = "Tell somebody that a limit is reached",
  on    = "Usage Reported",
  key   = "data.metric",
  when  = function(event)
    local used, limit = event.data.used, event.data.limit
    if type(used) ~= "number" or type(limit) ~= "number" or limit <= 0 or used < limit then return false end
    local told = state[event.data.metric]
    local period = plans.period(event.data.period_end)
    if period then return told ~= period end
    return type(told) ~= "number" or now() - told >= 30 * 86400 * 1000
  end,
  class = "transactional",
  owner = "growth",
  run = function(event, customer)
    check(customer.traits.churned ~= true, "the customer has left")
    state[event.data.metric] = plans.period(event.data.period_end) or now()
    send("crm", "upsell.limit_reached", {
      customer = customer.id, metric = event.data.metric, used = event.data.used, limit = event.data.limit,
      period_end = event.data.period_end,
    })
  end,
}
