-- Someone tries what their plan does not have, again and again: one message about all of it, and not one for each
-- attempt. Five attempts are enough at once; fewer are told of an hour after the first. Once in 14 days.
-- Event: feature_locked { feature, plan }
local sold = use("lib/plans")

return rule {
  title   = "Offer the plan that has what was tried",
  on      = "feature_locked",
  collect = { up_to = 5, within = "1 hour" },
  stop_on = "plan_upgraded",
  again   = "14 days",
  topic   = "offers",
  when    = function(event) return sold.next_plan[event.data.plan] ~= nil end,
  run = function(event, customer, events)
    local tried, seen = {}, {}
    for _, attempt in ipairs(events) do
      local feature = attempt.data.feature
      if feature and not seen[feature] then
        seen[feature] = true
        table.insert(tried, feature)
      end
    end
    check(#events > 1, "one attempt alone may be a slip")
    send("crm", "upsell.locked_features", {
      customer = customer.id, features = tried, attempts = #events, plan = sold.next_plan[event.data.plan],
    })
  end,
}
