-- Brings to each person what is told of an event alone, as events of their own: "Registration Moved" { event_id,
-- starts_at, ends_at, kind, title, … }, "Registration Voided" { event_id, reason } when the event is cancelled, "Registration Ended"
-- { event_id, kind, title, starts_at, ends_at, … } when it is over, and "Registration Forgotten" when nobody tells.
-- Rules that write to people wait for these, and for what the people do themselves, in one line. If each of them
-- listened to the thing instead, every cancellation of one person would be read by the runs of all the others.
-- Reads: "Event Registered", "Event Waitlisted", "Event Joined" and "Event Registration Cancelled" of a person and the
-- thing "event:ID"; of that thing alone "Event Rescheduled", "Event Cancelled", "Event Ended". It sends nothing.
local reminders = use("lib/reminders")
local times = use("lib/times")

local for_what_is_late = "5 minutes" -- who leaves in the last second is told of after the end

return rule {
  title   = "Tell each registered person what happens to their event",
  on      = { "Event Registered", "Event Waitlisted", "Event Joined" },
  key     = "data.event_id",
  stop_on = "Event Registration Cancelled",
  owner   = "events",
  run = function(event, customer)
    local id, thing = event.data.event_id, event.thing or "event:" .. event.data.event_id
    local starts_at, ends_at = event.data.starts_at, event.data.ends_at
    while true do
      local news = wait_any({ "Event Rescheduled", "Event Cancelled", "Event Ended" }, {
        subject = thing, within = reminders.patience(starts_at, now()),
      })
      if not news then
        emit("Registration Forgotten", { event_id = id })
        return finish("nobody has told how the event ended")
      end
      local told = news.data
      if news.name == "Event Cancelled" then
        emit("Registration Voided", { event_id = id, reason = told.reason })
        return finish("the event is cancelled")
      elseif news.name == "Event Ended" then
        wait(for_what_is_late)
        emit("Registration Ended", {
          event_id = id, kind = told.kind or event.data.kind, title = told.title or event.data.title,
          starts_at = told.starts_at or starts_at, credit = told.credit, recording_url = told.recording_url,
          ends_at = told.ends_at or ends_at or times.text(news.time),
        })
        return finish("the event has ended")
      elseif times.milliseconds(told.starts_at) then -- a new date that cannot be read changes nothing
        ends_at = reminders.ends_at({ starts_at = starts_at, ends_at = ends_at }, told.starts_at, told.ends_at)
        starts_at = told.starts_at
        local data = event.data
        emit("Registration Moved", {
          event_id = id, starts_at = starts_at, ends_at = ends_at, kind = data.kind, title = data.title,
          timezone = data.timezone, url = data.url, location = data.location,
        })
      end
    end
  end,
}
