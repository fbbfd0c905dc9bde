-- Somebody has begun to cancel: make ONE offer that fits the reason, at once, and never again. The cancellation
-- itself is never delayed. Whoever is told of a discount each time they cancel learns to cancel each year.
-- Reads "Cancellation Started" { subscription, reason }. What is offered for which reason stands in
-- data/save_offers.csv; other reasons get no offer. It also counts as the customer's offer of these 30 days: nothing
-- is sold to them now.
local saves  = use("data/save_offers")
local offers = use("lib/offers")

return rule {
  title    = "Make one save offer when a cancellation is begun",
  on       = "Cancellation Started",
  again    = "never",
  topic    = "save",
  hold_out = 10,
  goal     = { event = "invoice.paid", within = "35 days" },   -- still a customer: the next invoice is paid
  owner    = "success",
  run = function(event, customer)
    local reason = event.data.reason
    local save = type(reason) == "string" and saves[reason] or nil
    check(save, "there is no offer for this reason")
    check(customer.traits.churned ~= true, "the customer has left")
    check(customer.traits.payment_failing ~= true, "a payment is failing: no offers now")
    set(offers.made("save", now()))
    send("crm", "churn.save_offer", {
      customer = customer.id, subscription = event.data.subscription, reason = reason, offer = save.offer,
      text = save.text,
    })
    local left = wait_for("Customer Churned", { within = "35 days" })
    finish(left and "left all the same" or "stayed, or has not paid yet")
  end,
}
