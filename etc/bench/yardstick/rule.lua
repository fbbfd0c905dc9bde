#!lua name=yardstick
-- The bench rule inside Redis: one call takes one or more events as JSON text and is one atomic step.
-- Thread: Redis' own. Promise: the event, the customer's state and the webhook to be sent are in the
-- append-only file together, which Redis syncs before it answers.

local function offer(event, count, last)
  local data = event.data
  return cjson.encode {
    type = "upsell.offer", customer = event.user, count = count, last = last, messageId = event.id,
    sent_ns = data.sent_ns,
    offer = { plan = "enterprise", discount = 20, reason = "usage at " .. data.percent .. " percent of " .. data.metric },
    source = {
      event = event.name, timestamp = event.time, workspace = data.workspace, region = data.region,
      used = data.used, limit = data.limit,
    },
  }
end

redis.register_function("take", function(_, events)
  local now = tonumber(redis.call("TIME")[1])
  for _, text in ipairs(events) do
    local event = cjson.decode(text)
    local customer = "customer:" .. event.user
    redis.call("XADD", "event", "*", "e", text)
    local count = redis.call("HINCRBY", customer, "count", 1)
    if event.name == "usage_limit_approaching" and event.data.percent >= 90 then
      local last = tonumber(redis.call("HGET", customer, "last") or 0)
      if now - last >= 0 then
        redis.call("HSET", customer, "last", now)
        redis.call("XADD", "webhook", "*", "w", offer(event, count, last))
      end
    end
  end
  return #events
end)
