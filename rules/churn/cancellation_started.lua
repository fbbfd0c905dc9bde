-- Someone opened the cancellation page: make the save offer, once and never again.
return rule {
  title = "Make the save offer when a cancellation starts",
  on    = "cancellation_started",
  again = "never",
  run = function(event, customer)
    check(not customer.traits.payment_failing, "a payment is failing: no offers now")
    send("crm", "churn.save_offer", { customer = customer.id, reason = event.data.reason })
  end,
}
