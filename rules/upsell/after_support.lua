-- Somebody's problem was solved and they were glad about it: two days later, when all is still quiet, offer the next
-- plan.
-- Reads "Ticket Solved" { ticket_id, rating } and "Ticket Opened"; the traits plan and opportunity_band (set by
-- upsell/opportunity): a glad customer who has no use for more is thanked by being left alone.
local plans  = use("lib/plans")
local offers = use("lib/offers")
local good_rating = 4   -- of 5

return rule {
  title    = "Offer the next plan two days after a problem was solved well",
  on       = "Ticket Solved",
  stop_on  = "Ticket Opened",
  again    = "90 days",
  when     = function(event) return type(event.data.rating) == "number" and event.data.rating >= good_rating end,
  topic    = "offers",
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer)
    wait("2 days")
    local plan = plans.next_plan[customer.traits.plan]
    check(plan, "there is no larger plan")
    check(customer.traits.opportunity_band ~= "low", "nothing says that more would be of use")
    local refusal = offers.refusal(customer.traits, now())
    if refusal then skip(refusal) end
    set(offers.made("after_support", now()))
    send("crm", "upsell.offer", {
      customer = customer.id, offer = "after_support", plan = plan,
      reason = "rated the help with " .. event.data.rating .. " of 5",
    })
  end,
}
