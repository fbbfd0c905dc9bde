-- Somebody asks for a smaller plan: tell the owner what would be lost, so that one talk can be about the right
-- thing. The request itself is never delayed. Whoever clicks to and fro is told of once, with the last choice.
-- Reads "Downgrade Requested" { from, to }; what a plan has stands in data/features.csv.
local plans = use("lib/plans")

return rule {
  title    = "Tell the owner of a downgrade that is asked for",
  on       = "Downgrade Requested",
  debounce = "10 minutes",
  stop_on  = "Subscription Upgraded",
  again    = "7 days",
  class    = "transactional",
  owner    = "success",
  run = function(event, customer)
    local from, to = event.data.from, event.data.to
    check(plans.rank(from) > 0 and plans.rank(to) > 0, "one of the plans is not known")
    check(plans.rank(to) < plans.rank(from), "the new plan is not smaller")
    check(customer.traits.churned ~= true, "the customer has left")
    local loses = plans.lost(from, to)
    send("crm", "churn.downgrade_asked", {
      customer = customer.id, from = from, to = to, loses = #loses > 0 and loses or empty_list,
      health_band = customer.traits.health_band, owner = customer.traits.owner,
    })
  end,
}
