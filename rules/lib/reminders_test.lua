local reminders = use("lib/reminders")
local webinar = {
  event_id = "w7", title = "Rules in ten minutes", timezone = "Europe/Berlin",
  starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:30:00Z",
}

test("the end moves with the start, unless a change has told it", function(t)
  assert(reminders.ends_at(webinar, "2026-02-01T17:00:00Z") == "2026-02-01T18:30:00Z")
  assert(reminders.ends_at(webinar, "2026-02-03T09:00:00+01:00") == "2026-02-03T09:30:00Z")
  assert(reminders.ends_at(webinar, "2026-02-03T09:00:00Z", "2026-02-03T09:45:00Z") == "2026-02-03T09:45:00Z")
end)

test("an end that cannot be known is left out", function(t)
  assert(reminders.ends_at({ starts_at = "2026-02-01T17:00:00Z" }, "2026-02-03T09:00:00Z") == nil)
  assert(reminders.ends_at({ starts_at = "soon", ends_at = "later" }, "2026-02-03T09:00:00Z") == nil)
  assert(reminders.ends_at(webinar, nil) == nil)
end)

test("a message names the attendee's own zone, else the event's", function(t)
  local event = { data = webinar }
  local away = reminders.message("1 day", event, {
    id = "ada", traits = { timezone = "Asia/Tokyo" },
  }, webinar.starts_at)
  assert(away.ends_at == webinar.ends_at and away.starts_at == webinar.starts_at)
  assert(away.timezone == "Asia/Tokyo" and away.what == "1 day" and away.customer == "ada" and away.kind == "event")
  assert(reminders.message("1 day", event, { id = "bob", traits = {} }, webinar.starts_at).timezone == "Europe/Berlin")
end)

test("a message about a course names it and its date", function(t)
  local message = reminders.course("today", { data = { course_id = "lua-1", title = "Lua" } },
    { id = "ada", traits = { timezone = "Asia/Tokyo" } }, "2026-02-01T17:00:00Z")
  assert(message.what == "today" and message.customer == "ada" and message.course_id == "lua-1" and message.title == "Lua")
  assert(message.due_at == "2026-02-01T17:00:00Z" and message.timezone == "Asia/Tokyo")
end)

test("news are waited for until a week after the start, and a week where that is past or unknown", function(t)
  local now = 1772388000000 -- 2026-03-01T18:00:00Z
  assert(reminders.patience("2026-03-02T18:00:00Z", now) == "11520 minutes")
  assert(reminders.patience("2025-03-02T18:00:00Z", now) == "10080 minutes")
  assert(reminders.patience(nil, now) == "10080 minutes")
end)
