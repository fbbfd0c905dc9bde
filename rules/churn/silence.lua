-- A customer was not here for 14 days: ask after them at that moment, not with some nightly job.
-- Reads "Signed In" and the traits plan, payment_failing, open_tickets and owner. Told once for each silence; the next
-- sign-in begins a new one. Somebody who waits for an answer of ours is not asked why they are so quiet.
return rule {
  title    = "Ask after a customer who has gone silent",
  on       = absence { of = "Signed In", lasting = "14 days" },
  topic    = "care",
  hold_out = 10,
  goal     = { event = "Signed In", within = "14 days" },
  owner    = "success",
  run = function(event, customer)
    local traits = customer.traits
    check(traits.plan ~= nil, "no customer of a plan")
    check(traits.churned ~= true, "the customer has left")
    check(traits.payment_failing ~= true, "a payment is failing: that comes first")
    check(type(traits.open_tickets) ~= "number" or traits.open_tickets == 0, "a ticket is open: they wait for us")
    send("crm", "churn.silence", { customer = customer.id, since = event.data.since, days = 14, owner = traits.owner })
  end,
}
