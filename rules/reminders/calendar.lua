-- Confirms a registration with its entry for the calendar, and keeps that entry true: a file with the next sequence
-- when the event moves, and one that takes it out when it is cancelled or the person does not come after all.
-- This is the one message about each of these changes; it has the file as text, and a link to its newest version.
-- Reads: "Event Registered" { event_id, kind, title, starts_at, ends_at, timezone, url, location } and "Event
-- Registration Cancelled" { event_id } of the person; "Registration Moved", "Registration Voided", "Registration
-- Ended" and "Registration Forgotten" of rules/reminders/registration.lua.
local reminders = use("lib/reminders")
local times = use("lib/times")

local organizer = { name = "Events", email = "events@example.com" } -- who invites: put your own address here
local alarms    = { "10 minutes" } -- of the calendar itself: it rings where no message of ours arrives

-- What a file for a calendar can hold; anything else is left out of it. A broken detail is no reason for a person to
-- hear nothing.
local function text(value, most_bytes)
  return type(value) == "string" and value ~= "" and #value <= most_bytes and value or nil
end

local what = {
  ["Registration Moved"] = "moved", ["Registration Voided"] = "cancelled",
  ["Event Registration Cancelled"] = "registration_cancelled",
}

return rule {
  title = "Confirm a registration, with an entry for the calendar that follows the event",
  on    = "Event Registered",
  key   = "data.event_id",
  class = "transactional",
  owner = "events",
  run = function(event, customer)
    local data, traits = event.data, customer.traits
    check(times.milliseconds(data.starts_at), "without a start that can be read there is no entry for a calendar")
    -- The moment of registering is part of the uid: who cancels and registers again gets a new entry, because many
    -- calendars never show again what was cancelled once.
    local uid = ("%s/%s/%d"):format(data.event_id, customer.id, event.time)
    local starts_at, sequence = data.starts_at, 0
    local ends_at, length

    -- An end that cannot be read, or that lies before the start, is none. An event that moves without telling its end
    -- is as long as before.
    local function plan(new_start, new_end)
      local start, stop = times.milliseconds(new_start), times.milliseconds(new_end)
      if stop and stop >= start then length = stop - start end
      starts_at, ends_at = new_start, length and times.text(start + length)
    end

    local function tell(change, was_at, reason)
      local cancelled = change == "cancelled" or change == "registration_cancelled"
      local email, url = text(traits.email, 300), text(data.url, 1000)
      if email and not email:find("@", 1, true) then email = nil end
      local function entry(zone)
        return calendar {
          uid = uid, sequence = sequence, title = text(data.title, 500) or "Event", starts_at = starts_at,
          ends_at = ends_at, zone = zone, description = url, location = text(data.location, 500), url = url,
          organizer = organizer, attendee = email and { name = text(traits.name, 200), email = email } or nil,
          cancelled = cancelled, alarms = alarms,
        }
      end
      -- In a zone that does not exist the times are those of UTC: the moment is right all the same.
      local is_made, file, link = pcall(entry, text(data.timezone, 100))
      if not is_made then file, link = entry(nil) end
      local message = reminders.message(change, event, customer, starts_at, ends_at)
      message.sequence, message.calendar, message.calendar_url = sequence, file, link
      message.was_at, message.reason = was_at, reason
      send("crm", "reminder.calendar", message)
    end

    plan(starts_at, data.ends_at)
    tell("confirmed")
    while true do
      local change = wait_any {
        "Registration Moved", "Registration Voided", "Event Registration Cancelled", "Registration Ended",
        "Registration Forgotten",
      }
      if not what[change.name] then return finish("the event is over") end
      sequence = sequence + 1
      local was_at = starts_at
      if change.name == "Registration Moved" then
        plan(change.data.starts_at, change.data.ends_at)
        tell("moved", was_at)
      else
        tell(what[change.name], nil, change.data.reason)
        return finish("cancelled")
      end
    end
  end,
}
