-- Tells speakers and hosts that they are down for an event, when it moves, and when it is cancelled. They hear of a
-- move at once and by themselves, however far away it is: their travel hangs on it.
-- Reads: "Event Host Added" { event_id, role, title, starts_at, ends_at, … } and "Event Host Removed" { event_id } of
-- the person and the thing "event:ID"; of that thing alone "Event Rescheduled", "Event Cancelled", "Event Ended".
local reminders = use("lib/reminders")
local times = use("lib/times")

return rule {
  title   = "Tell hosts of their event, and of what becomes of it",
  on      = "Event Host Added",
  key     = "data.event_id",
  stop_on = "Event Host Removed",
  class   = "transactional",
  owner   = "events",
  run = function(event, customer)
    check(event.thing, "the event does not say which event it is about: 'thing' is missing")
    local starts_at, ends_at = event.data.starts_at, event.data.ends_at

    local function tell(what, was_at, reason)
      local message = reminders.message(what, event, customer, starts_at, ends_at)
      message.role, message.was_at, message.reason = event.data.role or "host", was_at, reason
      send("crm", "reminder.host", message)
    end

    tell("added")
    while true do
      local news = wait_any({ "Event Rescheduled", "Event Cancelled", "Event Ended" }, {
        subject = event.thing, within = reminders.patience(starts_at, now()),
      })
      if not news or news.name == "Event Ended" then return finish("the event is over") end
      if news.name == "Event Cancelled" then
        tell("cancelled", nil, news.data.reason)
        return finish("cancelled")
      end
      if times.milliseconds(news.data.starts_at) then
        local was_at, told = starts_at, news.data
        ends_at = reminders.ends_at({ starts_at = starts_at, ends_at = ends_at }, told.starts_at, told.ends_at)
        starts_at = told.starts_at
        tell("moved", was_at)
      end
    end
  end,
}
