-- A week before an event, at ten in the morning on the attendee's own clock: time to keep the hour free.
-- For everyone registered for a webinar, office hours, a study group or mentorship.
-- Reads: "Event Registered" { event_id, kind, title, starts_at, ends_at, timezone, url, location } and
-- "Event Registration Cancelled" { event_id } of a person and the thing "event:ID"; of that thing alone
-- "Event Rescheduled" { starts_at } and "Event Cancelled".
-- Who registers later than this has just read the date and is not reminded here.
local reminders = use("lib/reminders")

local lead = { days = 7, at = "10:00" }

return rule {
  title    = "Remind of an event a week before",
  on       = before("data.starts_at", lead, {
    event = "Event Registered", moved = "Event Rescheduled", cancelled = "Event Cancelled",
  }),
  key      = "data.event_id",
  -- Not among 'cancelled': said of the thing, too, it would end the reminders of everyone who is registered.
  stop_on  = "Event Registration Cancelled",
  topic    = "reminders",
  late     = "skip",
  catch_up = "1 day", -- later than that it would say what is not true any more
  owner    = "events",
  run = function(event, customer, date)
    send("crm", "reminder.event", reminders.message("7 days", event, customer, date), { within = "1 day" })
  end,
}
