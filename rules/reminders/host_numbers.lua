-- An hour before an event each host hears how many people are registered and how many wait for a seat.
-- A rule about the event itself (per = "event"), with one run for each of its hosts: only so can it count what
-- everyone has done. Who registers twice under one event counts twice; see the page for why that is left so.
-- Reads: "Event Host Added" { event_id, role, … }, "Event Host Removed", "Event Registered", "Event Registration
-- Cancelled" of people and the thing "event:ID"; of the thing "Event Rescheduled" { starts_at }, "Event Cancelled",
-- and "Event Waitlist Counted" { waiting } of rules/reminders/waitlist.lua.
local reminders = use("lib/reminders")

local lead = "1 hour"

return rule {
  title    = "Tell hosts an hour before how many are coming",
  per      = "event",
  on       = before("data.starts_at", lead, {
    event = "Event Host Added", moved = "Event Rescheduled", cancelled = "Event Cancelled",
  }),
  key      = "user", -- each host has a run
  stop_on  = "Event Host Removed",
  class    = "transactional",
  late     = "send",
  catch_up = "20 minutes",
  owner    = "events",
  run = function(event, customer, date)
    local registrations = count("Event Registered", "366 days") - count("Event Registration Cancelled", "366 days")
    local message = reminders.message("numbers", event, customer, date)
    message.customer, message.role = event.user, event.data.role or "host"
    message.registrations = math.max(registrations, 0)
    message.waiting = last("Event Waitlist Counted", "data.waiting", "366 days") or 0
    send("crm", "reminder.host", message)
  end,
}
