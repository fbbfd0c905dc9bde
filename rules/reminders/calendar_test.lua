rules { "reminders/registration" }

local webinar = {
  event_id = "w7", kind = "webinar", title = "Rules in ten minutes", timezone = "Europe/Berlin",
  url = "https://example.com/w7", starts_at = "2026-03-20T17:00:00Z", ends_at = "2026-03-20T18:00:00Z",
}
local thing, ada, bob = { thing = "event:w7" }, {
  user = "ada", thing = "event:w7",
}, { user = "bob", thing = "event:w7" }

test("a registration is confirmed with its calendar entry", function(t)
  t:identify({ timezone = "America/New_York", email = "ada@example.com" }, { user = "ada" })
  t:event("Event Registered", webinar, ada)
  t:expect_sent("crm", "reminder.calendar", {
    what = "confirmed", customer = "ada", sequence = 0, event_id = "w7", title = "Rules in ten minutes",
    starts_at = "2026-03-20T17:00:00Z", ends_at = "2026-03-20T18:00:00Z", timezone = "America/New_York",
  })
  t:expect_nothing()
end)

test("each move is told to everyone with the next sequence and the time before it", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Registered", webinar, bob)
  t:expect_sent("crm", "reminder.calendar", { sequence = 0 }, { user = "ada" })
  t:expect_sent("crm", "reminder.calendar", { sequence = 0 }, { user = "bob" })
  t:event("Event Rescheduled", { starts_at = "2026-03-30T17:00:00Z" }, thing)
  for _, user in ipairs { "ada", "bob" } do
    t:expect_sent("crm", "reminder.calendar", {
      what = "moved", sequence = 1, was_at = "2026-03-20T17:00:00Z", starts_at = "2026-03-30T17:00:00Z",
      ends_at = "2026-03-30T18:00:00Z",
    }, { user = user })
  end
  t:event("Event Rescheduled", { starts_at = "2026-03-31T17:00:00Z", ends_at = "2026-03-31T19:00:00Z" }, thing)
  t:expect_sent("crm", "reminder.calendar", {
    sequence = 2, was_at = "2026-03-30T17:00:00Z", ends_at = "2026-03-31T19:00:00Z",
  }, { user = "ada" })
  t:expect_sent("crm", "reminder.calendar", { sequence = 2 }, { user = "bob" })
  t:expect_nothing()
end)

test("a cancelled event takes the entry out and says why", function(t)
  t:event("Event Registered", webinar, ada)
  t:expect_sent("crm", "reminder.calendar", { what = "confirmed" })
  t:event("Event Cancelled", { reason = "the speaker is ill" }, thing)
  t:expect_sent("crm", "reminder.calendar", { what = "cancelled", sequence = 1, reason = "the speaker is ill" })
  t:expect_ended("cancelled", { user = "ada", rule = "reminders/calendar" })
  t:expect_nothing()
end)

test("a cancelled registration takes out this person's entry and nobody else's", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Registered", webinar, bob)
  t:event("Event Registration Cancelled", { event_id = "w7" }, ada)
  t:expect_sent("crm", "reminder.calendar", { what = "confirmed" }, { user = "ada" })
  t:expect_sent("crm", "reminder.calendar", { what = "confirmed" }, { user = "bob" })
  t:expect_sent("crm", "reminder.calendar", { what = "registration_cancelled", sequence = 1 }, { user = "ada" })
  t:expect_nothing()
  t:event("Event Rescheduled", { starts_at = "2026-03-30T17:00:00Z" }, thing)
  t:expect_sent("crm", "reminder.calendar", { what = "moved" }, { user = "bob" })
  t:expect_nothing()
end)

test("who registers again gets a new entry, the same registration told twice none", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Registered", webinar, ada)
  t:event("Event Registration Cancelled", { event_id = "w7" }, ada)
  t:advance("1 hour")
  t:event("Event Registered", webinar, ada)
  t:expect_sent("crm", "reminder.calendar", { what = "confirmed", sequence = 0 })
  t:expect_sent("crm", "reminder.calendar", { what = "registration_cancelled", sequence = 1 })
  t:expect_sent("crm", "reminder.calendar", { what = "confirmed", sequence = 0 })
  t:expect_nothing()
end)

test("after the event, and when nobody tells of its end, the run is over without a word", function(t)
  t:event("Event Registered", webinar, ada)
  t:at("2026-03-20T18:00:00Z")
  t:event("Event Ended", {}, thing)
  t:advance("5 minutes")
  t:expect_ended("the event is over", { user = "ada", rule = "reminders/calendar" })
  t:event("Event Registered", {
    event_id = "w8", starts_at = "2026-03-25T17:00:00Z",
  }, { user = "ada", thing = "event:w8" })
  t:at("2026-04-01T17:00:00Z")
  t:expect_ended("the event is over", { user = "ada", rule = "reminders/calendar" })
  t:expect_sent("crm", "reminder.calendar")
  t:expect_sent("crm", "reminder.calendar")
  t:expect_nothing()
end)

test("without a start there is no entry, and a move that cannot be read changes none", function(t)
  t:event("Event Registered", { event_id = "w7", title = "Rules in ten minutes" }, ada)
  t:expect_verdict("skipped", "without a start", { rule = "reminders/calendar" })
  t:event("Event Registered", { event_id = "w7", starts_at = "soon" }, ada)
  t:expect_verdict("skipped", "without a start", { rule = "reminders/calendar" })
  t:event("Event Registered", { event_id = "w7", starts_at = webinar.starts_at, ends_at = "later" }, bob)
  t:expect_sent("crm", "reminder.calendar", { what = "confirmed", ends_at = null }, { user = "bob" })
  t:event("Event Rescheduled", { starts_at = "soon" }, thing)
  t:expect_nothing()
end)

test("two events of one person are apart", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Registered", {
    event_id = "w8", starts_at = "2026-04-01T17:00:00Z",
  }, { user = "ada", thing = "event:w8" })
  t:expect_sent("crm", "reminder.calendar", { event_id = "w7", what = "confirmed" })
  t:expect_sent("crm", "reminder.calendar", { event_id = "w8", what = "confirmed" })
  t:event("Event Rescheduled", { starts_at = "2026-04-02T17:00:00Z" }, { thing = "event:w8" })
  t:expect_sent("crm", "reminder.calendar", { event_id = "w8", what = "moved", sequence = 1 })
  t:event("Event Registration Cancelled", { event_id = "w7" }, ada)
  t:expect_sent("crm", "reminder.calendar", { event_id = "w7", what = "registration_cancelled", sequence = 1 })
  t:expect_nothing()
end)

test("a zone that does not exist and details that are no texts keep nobody from the confirmation", function(t)
  local wrong = {
    { timezone = "Mars/Base" }, { timezone = 5 }, { title = 5 }, { title = "" }, { title = ("x"):rep(600) },
    { location = { hall = 1 } }, { url = true },
  }
  for place, one in ipairs(wrong) do
    local data = { event_id = "w" .. place }
    for name, value in pairs(webinar) do data[name] = data[name] or value end
    for name, value in pairs(one) do data[name] = value end
    t:event("Event Registered", data, { user = "ada", thing = "event:w" .. place })
    t:expect_sent("crm", "reminder.calendar", { what = "confirmed", event_id = "w" .. place })
  end
  t:event("Event Rescheduled", { starts_at = "2026-03-30T17:00:00Z" }, { thing = "event:w1" })
  t:expect_sent("crm", "reminder.calendar", { what = "moved", sequence = 1, event_id = "w1" })
end)

test("an address that is none leaves out the attendee and nothing else", function(t)
  for _, email in ipairs { "ada", "", "a b@example.com", ("x"):rep(400) .. "@example.com" } do
    t:identify({ email = email, name = 5 }, { user = "ada" })
    t:event("Event Registered", webinar, ada)
    t:expect_sent("crm", "reminder.calendar", { what = "confirmed" }, { user = "ada" })
    t:event("Event Registration Cancelled", { event_id = "w7" }, ada)
    t:expect_sent("crm", "reminder.calendar", { what = "registration_cancelled" }, { user = "ada" })
    t:advance("1 hour")
  end
end)
