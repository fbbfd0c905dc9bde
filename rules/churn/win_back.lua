-- Somebody has left on their own accord: write after 30 days and after 90, at ten on their clock, and then never again.
-- Whoever was lost to a failed card did not want to leave: that is dunning's affair. Whoever comes back hears no more.
-- Reads "Customer Churned" { reason } and "Customer Returned", made by churn/churned.
local days_after = { 30, 90 }

return rule {
  title    = "Write to those who have left, twice",
  on       = "Customer Churned",
  again    = "365 days",
  topic    = "win_back",
  hold_out = 10,
  goal     = { event = "Customer Returned", within = "120 days" },
  owner    = "success",
  run = function(event, customer)
    local reason = event.data.reason
    check(reason ~= "payment_failed", "lost to a failed payment: that is dunning's affair")
    local passed = 0
    for step, days in ipairs(days_after) do
      wait_until { days = days - passed, at = "10:00" }
      passed = days
      send("crm", "churn.win_back", { customer = customer.id, step = step, reason = reason })
    end
    finish("did not come back")
  end,
}
