-- The waiting list of an event: first come, first served. A seat that becomes free is offered to the first in the
-- list, for some hours; whoever does not take it, or declines, passes it on to the next.
-- A rule about the event itself (per = "event"): its state is the queue, so that order and seats are one decision.
-- rules/reminders/waitlist_place.lua speaks with the people and watches the clock of each offer.
-- Reads, of people and the thing "event:ID": "Event Waitlisted" { event_id, starts_at, … }, "Event Registered",
-- "Event Registration Cancelled"; of the thing alone "Event Seat Freed", "Event Rescheduled" { starts_at }, "Event
-- Cancelled", "Event Ended"; and "Event Seat Passed" { person } of waitlist_place.
-- It frees no seat by itself: only your booking system knows how many there are, and says "Event Seat Freed".
local waitlist = use("lib/waitlist")
local times = use("lib/times")

local hold_hours = 12 -- how long a seat is kept for one person; shortly before the start see lib/waitlist
local at_once    = 80 -- offers made in one go: a run has at most 100 effects

return rule {
  title = "Keep the waiting list of an event, and offer each free seat to the first in it",
  on    = {
    "Event Waitlisted", "Event Registered", "Event Registration Cancelled", "Event Seat Freed", "Event Seat Passed",
    "Event Rescheduled", "Event Cancelled", "Event Ended",
  },
  per   = "event",
  owner = "events",
  -- Most events have no waiting list: then there is nothing to do for each of their registrations.
  when  = function(event)
    if event.name ~= "Event Registered" and event.name ~= "Event Registration Cancelled" then return true end
    return state.queue ~= nil or state.offers ~= nil or (state.free or 0) > 0
  end,
  run = function(event, customer)
    local name, id, person = event.name, customer.id, event.data.person or event.user
    local list = { queue = state.queue, offers = state.offers, free = state.free or 0 }
    local before = waitlist.waiting(list)
    if name == "Event Waitlisted" then
      check(person, "the event does not say who waits")
      local refused = waitlist.join(list, person)
      check(refused ~= "this person is in the list already", "this person is in the list already")
      if refused then
        emit("Event Waitlist Closed", { event_id = id, reason = refused }, { subject = "user:" .. person })
      end
    elseif name == "Event Seat Freed" then
      list.free = list.free + 1
    elseif name == "Event Registered" then
      waitlist.seat(list, person or "")
    elseif name == "Event Seat Passed" or name == "Event Registration Cancelled" then
      waitlist.leave(list, person or "")
    elseif name ~= "Event Rescheduled" then -- cancelled or over: each one's place in the list hears of it by itself
      list = { free = 0 }
    end

    state.starts_at = times.milliseconds(event.data.starts_at) or state.starts_at
    local hold_until = waitlist.kept_until(now() + hold_hours * times.hour, state.starts_at)
    if hold_until > now() then
      for _, first in ipairs(waitlist.offer(list, at_once)) do
        emit("Event Seat Offered", {
          event_id = id, starts_at = times.text(state.starts_at), hold_until = times.text(hold_until),
        }, { subject = "user:" .. first })
      end
    end
    if waitlist.waiting(list) ~= before then
      emit("Event Waitlist Counted", { event_id = id, waiting = waitlist.waiting(list) }, { subject = "event:" .. id })
    end
    state.queue, state.offers, state.free = list.queue, list.offers, list.free > 0 and list.free or nil
  end,
}
