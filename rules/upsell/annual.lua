-- Somebody has paid month by month for half a year, without trouble: tell them what a year at once would save.
-- Reads invoice.paid { billing_reason, amount_paid } and the traits plan and billing_interval ("month"). Prices
-- stand in data/plans.csv. The offer comes with a renewal, the moment at which the price is on one's mind anyway.
local plans  = use("lib/plans")
local offers = use("lib/offers")
local renewals = 5   -- with the first payment these are six months

return rule {
  title    = "Offer a year to those who have paid six months",
  on       = "invoice.paid",
  again    = "180 days",
  when     = function(event, customer)
    local paid = event.data.amount_paid
    return customer.traits.billing_interval == "month" and event.data.billing_reason == "subscription_cycle"
      and type(paid) == "number" and paid > 0
      and count("invoice.paid", "190 days", { match = { billing_reason = "subscription_cycle" } }) >= renewals
  end,
  topic    = "offers",
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer)
    check(count("invoice.payment_failed", "90 days") == 0,
      "a payment failed in the last 90 days: a year at once is too much")
    local saving = plans.yearly_saving(customer.traits.plan)
    check(saving, "a year of this plan saves nothing")
    local refusal = offers.refusal(customer.traits, now())
    if refusal then skip(refusal) end
    set(offers.made("annual", now()))
    send("crm", "upsell.offer", {
      customer = customer.id, offer = "annual", plan = customer.traits.plan, saving = saving,
      currency = plans.limit(customer.traits.plan, "currency"), reason = "paid month by month for half a year",
    })
  end,
}
