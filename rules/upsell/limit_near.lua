-- Someone is about to hit a limit of their plan: offer the next one, once in 30 days per limit. Who
-- has withdrawn consent to offers gets none.
-- Event: usage_limit_approaching { metric, percent, plan }
local sold = use("lib/plans")

return rule {
  title = "Offer a larger plan when a limit is near",
  on    = "usage_limit_approaching",
  key   = "data.metric",
  again = "30 days",
  topic = "offers",
  when  = function(event) return (event.data.percent or 0) >= 80 end,
  run = function(event, customer)
    local offered = sold.next_plan[event.data.plan]
    check(offered, "there is no larger plan")
    state.offers = (state.offers or 0) + 1
    send("crm", "upsell.offer", {
      customer = customer.id, metric = event.data.metric, percent = event.data.percent, plan = offered,
    })
  end,
}
