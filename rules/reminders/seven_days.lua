-- A week before an event, at ten in the morning on the attendee's own clock: time to keep the hour free.
-- For everyone registered for a webinar, office hours, a study group or mentorship.
-- Reads: "Event Registered" { event_id, kind, title, starts_at, ends_at, timezone, url, location } and
-- "Event Registration Cancelled" { event_id } of a person and the thing "event:ID"; of that thing alone
-- "Event Rescheduled" { starts_at } and "Event Cancelled".
-- Who registers later than this has just read the date and is not reminded here. Who was reminded already, of an event
-- that then moves, is reminded anew: "Registration Moved" of rules/reminders/registration.lua begins that.
local reminders = use("lib/reminders")

local lead = { days = 7, at = "10:00" }

return rule {
  title    = "Remind of an event a week before",
  on       = before("data.starts_at", lead, {
    event = { "Event Registered", "Registration Moved" }, moved = { "Event Rescheduled", "Registration Moved" },
    cancelled = { "Event Cancelled", "Registration Voided" },
  }),
  key      = "data.event_id",
  -- "Registration Moved" is told to those on the waiting list, too; they were never reminded.
  when     = function(event) return event.name == "Event Registered" or reminders.was_reminded(state, event) end,
  -- Not among 'cancelled': said of the thing, too, it would end the reminders of everyone who is registered.
  stop_on  = "Event Registration Cancelled",
  topic    = "reminders",
  late     = "skip",
  catch_up = "1 day", -- later than that it would say what is not true any more
  owner    = "events",
  run = function(event, customer, date)
    state.reminded = reminders.note(state, event.data.event_id)
    send("crm", "reminder.event", reminders.message("7 days", event, customer, date), { within = "1 day" })
  end,
}
