-- The bench case: count every usage event of a customer, and offer more from 90 percent on.
return rule {
  title = "Offer a larger plan",
  on    = "usage_limit_approaching",
  run = function(event, customer)
    local data = event.data
    state.count = (state.count or 0) + 1
    if data.percent >= 90 then
      local last = state.last or 0
      if now() - last >= 0 then
        state.last = now()
        send("sink", "upsell.offer", {
          type = "upsell.offer", customer = customer.id, count = state.count, last = last, messageId = event.id,
          sent_ns = data.sent_ns,
          offer = { plan = "enterprise", discount = 20, reason = "usage at " .. data.percent .. " percent of " .. data.metric },
          source = {
            event = event.name, timestamp = event.time, workspace = data.workspace, region = data.region,
            used = data.used, limit = data.limit,
          },
        })
      end
    end
  end,
}
