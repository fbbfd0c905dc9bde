local talk = { event_id = "w7", role = "speaker", title = "Rules in ten minutes", starts_at = "2026-02-01T17:00:00Z" }
local thing, ada = { thing = "event:w7" }, { user = "ada", thing = "event:w7" }

test("the briefing comes two days before, at nine on the host's own clock", function(t)
  t:identify({ timezone = "Asia/Tokyo" }, { user = "ada" })
  t:event("Event Host Added", talk, ada)
  t:at("2026-01-31 09:00", "Asia/Tokyo") -- in Tokyo it begins on the second of February
  t:expect_sent("crm", "reminder.host", {
    what = "briefing", customer = "ada", role = "speaker", event_id = "w7", starts_at = "2026-02-01T17:00:00Z",
  })
  t:expect_nothing()
end)

test("it moves with the event, comes once, and not at all when that is cancelled", function(t)
  t:event("Event Host Added", talk, ada)
  t:event("Event Rescheduled", { starts_at = "2026-02-10T17:00:00Z" }, thing)
  t:expect_waiting { ends = "2026-02-08T09:00:00Z", user = "ada" }
  t:at("2026-02-08T09:00:00Z")
  t:expect_sent("crm", "reminder.host", { what = "briefing", starts_at = "2026-02-10T17:00:00Z" })
  t:event("Event Host Added", {
    event_id = "w8", starts_at = "2026-03-01T17:00:00Z",
  }, { user = "ada", thing = "event:w8" })
  t:event("Event Cancelled", {}, { thing = "event:w8" })
  t:expect_ended("stopped")
  t:advance("60 days")
  t:expect_nothing()
end)

test("a host who is removed gets none, one who is added late gets it at once", function(t)
  t:event("Event Host Added", talk, ada)
  t:event("Event Host Added", talk, { user = "bob", thing = "event:w7" })
  t:event("Event Host Removed", { event_id = "w7" }, ada)
  t:at("2026-01-30T09:00:00Z")
  t:expect_sent("crm", "reminder.host", {}, { user = "bob" })
  t:expect_nothing()
  t:at("2026-02-01T12:00:00Z")
  t:event("Event Host Added", talk, ada)
  t:expect_sent("crm", "reminder.host", { what = "briefing" }, { user = "ada" })
end)

test("for an event that has begun, and without a date that can be read, there is no briefing", function(t)
  t:event("Event Host Added", { event_id = "w7", starts_at = "tomorrow" }, ada)
  t:expect_verdict("skipped", "tomorrow")
  t:at("2026-02-01T17:30:00Z")
  t:event("Event Host Added", talk, ada)
  t:expect_verdict("skipped")
  t:event("Event Host Added", { role = "speaker" }, ada)
  t:expect_verdict("no key")
  t:expect_nothing()
end)
