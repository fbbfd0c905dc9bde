-- A customer uses far less than is usual for them: ask at the moment at which the week has become so thin.
-- Who that is stands in segments/usage_dropped: below 40 percent of the mean of the weeks before, up to eight.
-- Reads "Feature Used" and the traits plan, owner and payment_failing.
return rule {
  title    = "Ask when a customer uses far less than usual",
  on       = enters("usage_dropped"),
  again    = "30 days",
  topic    = "care",
  hold_out = 10,
  goal     = { event = "Feature Used", within = "7 days" },
  owner    = "success",
  run = function(event, customer)
    check(customer.traits.payment_failing ~= true, "a payment is failing: that comes first")
    local used = count("Feature Used", "7 days")
    local weeks = (now() - first("Feature Used", "63 days")) / (7 * 86400 * 1000) - 1
    local usual = (count("Feature Used", "63 days") - used) / math.max(1, math.min(8, weeks))
    send("crm", "churn.usage_drop", {
      customer = customer.id, used = used, usual = math.tointeger(usual // 1), owner = customer.traits.owner,
    })
  end,
}
