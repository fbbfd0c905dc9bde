-- Once a month, for every customer who has a band: note the band, and see whether they have left 28 days later. From
-- this churn/score_check tells whether the score knows anything. 28 days, so that a sample is over when the next one
-- is taken. The score is that of before, never one that knows the end.
-- For accounts in place of people: for_each = "account" and segment = "customer_accounts".
return rule {
  title = "Hold everyone's band against what becomes of them",
  on    = every("month 1 07:00", { for_each = "user", segment = "customers" }),
  zone  = "UTC",     -- one month for all
  second = "parallel",
  owner = "success",
  run = function(event, customer)
    local band, cohort = customer.traits.health_band, string.sub(event.data.due, 1, 7)
    check(band, "not judged yet")
    emit("Health Sampled", { band = band, cohort = cohort }, { subject = "report:health" })
    local left = wait_for("Customer Churned", { within = "28 days" })
    if not left then return finish("stayed") end
    emit("Sampled Customer Churned", { band = band, cohort = cohort }, { subject = "report:health" })
    finish("left")
  end,
}
