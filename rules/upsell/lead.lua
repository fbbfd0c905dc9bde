-- Somebody has use for more: tell the person who looks after them, with the reasons, so that a human can ask.
-- Looked at every weekday at nine on the customer's own clock, because what stands against an offer today (a ticket, an
-- offer of last week) may be gone tomorrow. A human's offer is an offer, too: it counts in the 30 days.
-- Reads the traits of upsell/opportunity and the trait owner; who is meant stands in segments/high_opportunity.
local plans  = use("lib/plans")
local offers = use("lib/offers")

return rule {
  title    = "Tell the owner of somebody who has use for more",
  on       = every("weekday 09:00", { for_each = "user", segment = "high_opportunity" }),
  again    = "60 days",
  topic    = "offers",
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer)
    local refusal = offers.refusal(customer.traits, now())
    if refusal then skip(refusal) end
    set(offers.made("lead", now()))
    send("crm", "upsell.lead", {
      customer = customer.id, owner = customer.traits.owner, opportunity = customer.traits.opportunity,
      reasons = customer.traits.opportunity_reasons, plan = plans.next_plan[customer.traits.plan],
    })
  end,
}
