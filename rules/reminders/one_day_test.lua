local webinar = {
  event_id = "w7", kind = "webinar", title = "Rules in ten minutes", url = "https://example.com/w7",
  starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z",
}
local thing = { thing = "event:w7" }

local function register(t, user, data)
  t:event("Event Registered", data or webinar, { user = user, thing = "event:w7" })
end


test("it comes at 18:00 on the attendee's own clock, with all that the attendee needs", function(t)
  t:identify({ timezone = "America/New_York" }, { user = "ada" })
  register(t, "ada")
  register(t, "bob")
  t:at("2026-01-31 18:00", "UTC")
  t:expect_sent("crm", "reminder.event", {
    what = "1 day", customer = "bob", event_id = "w7", kind = "webinar", title = "Rules in ten minutes",
    starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z", url = "https://example.com/w7",
  })
  t:expect_nothing()
  t:at("2026-01-31 18:00", "America/New_York")
  t:expect_sent("crm", "reminder.event", { what = "1 day", timezone = "America/New_York" }, { user = "ada" })
  t:expect_nothing()
end)

test("the night in which clocks change moves it with the clock on the wall", function(t)
  t:identify({ timezone = "Europe/Berlin" }, { user = "ada" })
  register(t, "ada", { event_id = "w7", starts_at = "2026-03-29T20:00:00+02:00" })
  t:expect_waiting { ends = "2026-03-28T17:00:00Z", user = "ada" }
end)

test("it follows the event when that moves, with its end, and comes once", function(t)
  register(t, "ada")
  t:event("Event Rescheduled", { starts_at = "2026-02-10T17:00:00Z" }, thing)
  t:expect_waiting { ends = "2026-02-09T18:00:00Z", user = "ada" }
  t:advance("60 days")
  t:expect_sent("crm", "reminder.event", {
    what = "1 day", starts_at = "2026-02-10T17:00:00Z", ends_at = "2026-02-10T18:00:00Z",
  })
  t:expect_nothing()
end)

test("when a move has made it late it says nothing, and the next move brings it back", function(t)
  register(t, "ada")
  t:at("2026-01-20T09:00:00Z")
  t:event("Event Rescheduled", { starts_at = "2026-01-20T17:00:00Z" }, thing)
  t:expect_nothing()
  t:event("Event Rescheduled", { starts_at = "2026-02-10T17:00:00Z" }, thing)
  t:expect_waiting { ends = "2026-02-09T18:00:00Z", user = "ada" }
  t:at("2026-02-09T18:00:00Z")
  t:expect_sent("crm", "reminder.event", { what = "1 day" })
end)

test("a cancelled event reminds nobody, and a cancelled registration only the others", function(t)
  register(t, "ada")
  register(t, "bob")
  register(t, "cy")
  t:event("Event Registration Cancelled", { event_id = "w7" }, { user = "ada", thing = "event:w7" })
  t:expect_ended("stopped", { user = "ada" })
  t:expect_waiting { user = "bob" }
  t:at("2026-01-31T18:00:00Z")
  t:expect_sent("crm", "reminder.event", {}, { user = "bob" })
  t:expect_sent("crm", "reminder.event", {}, { user = "cy" })
  t:expect_nothing()
  t:event("Event Registered", {
    event_id = "w8", starts_at = "2026-06-01T17:00:00Z",
  }, { user = "ada", thing = "event:w8" })
  t:event("Event Cancelled", { reason = "the speaker is ill" }, { thing = "event:w8" })
  t:expect_ended("stopped", { user = "ada" })
  t:advance("200 days")
  t:expect_nothing()
end)

test("who registers late is not reminded, who cancels and registers again is", function(t)
  register(t, "ada")
  t:event("Event Registration Cancelled", { event_id = "w7" }, { user = "ada", thing = "event:w7" })
  register(t, "ada")
  t:expect_waiting { user = "ada" }
  t:at("2026-01-31T19:00:00Z")
  t:expect_sent("crm", "reminder.event", { what = "1 day" }, { user = "ada" })
  register(t, "bob")
  t:expect_verdict("skipped", "late")
  t:expect_nothing()
end)

test("the same registration told twice reminds once", function(t)
  register(t, "ada")
  register(t, "ada")
  t:expect_verdict("second")
  t:advance("60 days")
  t:expect_sent("crm", "reminder.event", { what = "1 day" })
  t:expect_nothing()
end)

test("without a date it waits for the event's own, and what is no date or no event is left out", function(t)
  t:event("Event Registered", { event_id = "w7" }, { user = "ada", thing = "event:w7" })
  t:expect_waiting { user = "ada" }
  t:event("Event Rescheduled", { starts_at = "2026-02-10T17:00:00Z" }, thing)
  t:expect_waiting { ends = "2026-02-09T18:00:00Z", user = "ada" }
  register(t, "bob", { event_id = "w7", starts_at = "on Sunday" })
  t:expect_verdict("skipped", "on Sunday")
  register(t, "bob", { starts_at = "2026-02-01T17:00:00Z" })
  t:expect_verdict("no key")
  t:event("Event Rescheduled", { starts_at = "soon" }, thing)
  t:expect_waiting { user = "ada" } -- for the next date, because nobody knows now when it is
  t:event("Event Rescheduled", { starts_at = "2026-02-10T17:00:00Z" }, thing)
  t:at("2026-02-09T18:00:00Z")
  t:expect_sent("crm", "reminder.event", {
    starts_at = "2026-02-10T17:00:00Z", ends_at = null, kind = "event",
  }, { user = "ada" })
  t:expect_nothing()
end)

test("who was reminded already is reminded anew when the event moves, and nobody else is", function(t)
  local ada = { user = "ada" }
  register(t, "ada")
  t:at("2026-01-31T18:00:00Z")
  t:expect_sent("crm", "reminder.event", {}, ada)
  local moved = { event_id = "w7", title = "Rules in ten minutes", starts_at = "2026-03-10T17:00:00Z" }
  t:event("Event Rescheduled", { starts_at = "2026-03-10T17:00:00Z" }, thing)
  t:event("Registration Moved", moved, ada)
  t:event("Registration Moved", moved, { user = "waiting" })
  t:expect_waiting { user = "ada", ends = "2026-03-09T18:00:00Z" }
  t:expect_not_waiting { user = "waiting" }
  t:at("2026-03-09T18:00:00Z")
  t:expect_sent("crm", "reminder.event", { title = "Rules in ten minutes", starts_at = "2026-03-10T17:00:00Z" }, ada)
  t:event("Registration Moved", { event_id = "w7", starts_at = "2026-05-10T17:00:00Z" }, ada)
  t:event("Registration Voided", { event_id = "w7" }, ada)
  t:expect_not_waiting { user = "ada" }
  t:expect_nothing()
end)
