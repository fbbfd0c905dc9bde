-- What every reminder of an event or a course carries. Whoever writes the message has all of it at hand.
local shelf = use("lib/shelf")
local times = use("lib/times")

-- The end moves with the start: of a webinar that was moved only its new start has to be told.
local function ends_at(data, starts_at, new_end)
  local begins, ends = times.milliseconds(data.starts_at), times.milliseconds(data.ends_at)
  if new_end then return new_end end
  local moved = times.milliseconds(starts_at)
  if not begins or not ends or not moved then return nil end
  return times.text(moved + ends - begins)
end

-- The newest start and, where a change has told one, the newest end; times are written in the attendee's zone.
local function message(what, event, customer, starts_at, new_end)
  local data = event.data
  return {
    what = what, customer = customer.id, event_id = data.event_id, kind = data.kind or "event", title = data.title,
    starts_at = starts_at, ends_at = ends_at(data, starts_at, new_end),
    timezone = customer.traits.timezone or data.timezone, url = data.url, location = data.location,
  }
end

-- What somebody was reminded of already, in the rule's own state: for when it moves afterwards.
local function note(state, id, title)
  local known = type(title) == "string" and #title <= 200 and title or shelf.get(state.reminded, id)
  return (shelf.put(state.reminded, id, known or "", 6000))
end

local function was_reminded(state, event)
  return shelf.get(state.reminded, event.data.event_id or event.data.course_id) ~= nil
end

-- A date that was moved tells no title: then the one of before counts.
local function course(what, event, customer, due_at, state)
  local title = event.data.title or shelf.get(state.reminded, event.data.course_id)
  return {
    what = what, customer = customer.id, course_id = event.data.course_id, title = title, due_at = due_at,
    timezone = customer.traits.timezone,
  }
end

-- How long to wait for news of an event: until a week after it should have begun. Not every system tells that an
-- event has ended, and no run should sleep for ever because of that.
local function patience(starts_at, now)
  local begins = times.milliseconds(starts_at)
  return times.duration(math.max(begins or now, now) + 7 * times.day - now)
end

return {
  patience = patience, message = message, course = course, ends_at = ends_at, note = note, was_reminded = was_reminded,
}
