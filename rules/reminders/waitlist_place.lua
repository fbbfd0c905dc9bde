-- One person's place in a waiting list: told when it begins, when a seat is offered and until when it is kept, and
-- when the offer has passed on or the list is closed. Registering ends it, and so does cancelling.
-- Reads: "Event Waitlisted" { event_id, kind, title, starts_at, … } of the person and the thing "event:ID", "Event
-- Registered", "Event Registration Cancelled", "Event Seat Declined" { event_id }; "Event Seat Offered" { hold_until }
-- and "Event Waitlist Closed" { reason } of rules/reminders/waitlist.lua; "Registration Moved", "Registration Voided",
-- "Registration Ended" and "Registration Forgotten" of rules/reminders/registration.lua.
-- Who lets an offer pass is out of the list; "Event Waitlisted" again puts them at its end.
local reminders = use("lib/reminders")
local times = use("lib/times")
local waitlist = use("lib/waitlist")

return rule {
  title   = "Offer a seat to someone who waits, and pass it on when it is not taken",
  on      = "Event Waitlisted",
  key     = "data.event_id",
  stop_on = "Event Registration Cancelled",
  goal    = { event = "Event Registered", within = "366 days" }, -- the outcome of a place that has led to a seat
  class   = "transactional",
  owner   = "events",
  run = function(event, customer)
    local id, starts_at, ends_at = event.data.event_id, event.data.starts_at, event.data.ends_at
    local hold_until -- nil while there is no offer

    local function tell(what, reason)
      local message = reminders.message(what, event, customer, starts_at, ends_at)
      message.hold_until, message.reason = hold_until, reason
      send("crm", "reminder.waitlist", message)
    end

    local function pass_on(outcome)
      emit("Event Seat Passed", { event_id = id, person = event.user }, { subject = event.thing or "event:" .. id })
      if outcome == "expired" then tell(outcome) end
      return finish(outcome)
    end

    tell("waiting")
    while true do
      local left = hold_until and (times.duration(times.milliseconds(hold_until) - now()) or "1 second")
      local news = wait_any({
        "Event Seat Offered", "Event Seat Declined", "Event Waitlist Closed", "Registration Moved",
        "Registration Voided", "Registration Ended", "Registration Forgotten",
      }, { within = left })
      if not news then return pass_on("expired") end
      local name, told = news.name, news.data
      if name == "Event Seat Offered" then
        hold_until = times.milliseconds(told.hold_until) and told.hold_until or times.text(now())
        tell("offer")
      elseif name == "Event Seat Declined" then
        if hold_until then return pass_on("declined") end
      elseif name == "Registration Moved" then
        starts_at, ends_at = told.starts_at, told.ends_at
        if hold_until then -- no seat is kept beyond the new start
          hold_until = times.text(waitlist.kept_until(times.milliseconds(hold_until), times.milliseconds(starts_at)))
        end
        tell("moved")
      else
        if name == "Event Waitlist Closed" then tell("closed", told.reason) end
        if name == "Registration Voided" then tell("closed", told.reason or "the event is cancelled") end
        return finish("closed")
      end
    end
  end,
}
