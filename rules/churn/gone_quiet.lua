-- Nobody was here for 14 days: ask after them at that moment, not with the next nightly job.
return rule {
  title = "Ask after a customer who has gone quiet",
  on    = absence { of = "session_started", lasting = "14 days" },
  topic = "offers",
  run = function(event, customer)
    check(not customer.traits.payment_failing, "a payment is failing: that comes first")
    send("crm", "churn.gone_quiet", { customer = customer.id, since = event.data.since })
  end,
}
