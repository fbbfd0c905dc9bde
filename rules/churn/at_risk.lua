-- Someone has come to be at risk: tell success, once in 60 days.
return rule {
  title = "Tell success of a customer at risk",
  on    = enters("at_risk"),
  again = "60 days",
  run = function(event, customer)
    send("crm", "churn.at_risk", { customer = customer.id, plan = customer.traits.plan })
  end,
}
