-- Two days before an event, at nine in the morning on their own clock, speakers and hosts get their briefing.
-- Reads: "Event Host Added" { event_id, role, title, starts_at, … } and "Event Host Removed" { event_id } of the
-- person and the thing "event:ID"; of that thing alone "Event Rescheduled" { starts_at } and "Event Cancelled".
-- Who is added later than that gets it at once: a host without a briefing is worse than a late one.
local reminders = use("lib/reminders")

local lead = { days = 2, at = "09:00" }

return rule {
  title    = "Brief hosts two days before their event",
  on       = before("data.starts_at", lead, {
    event = "Event Host Added", moved = "Event Rescheduled", cancelled = "Event Cancelled",
  }),
  key      = "data.event_id",
  stop_on  = "Event Host Removed",
  class    = "transactional",
  late     = "send",
  catch_up = "1 day",
  owner    = "events",
  run = function(event, customer, date)
    local message = reminders.message("briefing", event, customer, date)
    message.role = event.data.role or "host"
    send("crm", "reminder.host", message)
  end,
}
