local talk = {
  event_id = "w7", role = "speaker", title = "Rules in ten minutes",
  starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z",
}
local thing, ada = { thing = "event:w7" }, { user = "ada", thing = "event:w7" }

test("a speaker is told at once, and of every move with the time before it", function(t)
  t:event("Event Host Added", talk, ada)
  t:expect_sent("crm", "reminder.host", {
    what = "added", customer = "ada", role = "speaker", starts_at = "2026-02-01T17:00:00Z",
  })
  t:event("Event Rescheduled", { starts_at = "2026-02-03T17:00:00Z" }, thing)
  t:expect_sent("crm", "reminder.host", {
    what = "moved", was_at = "2026-02-01T17:00:00Z", starts_at = "2026-02-03T17:00:00Z", ends_at = "2026-02-03T18:00:00Z",
  })
  t:event("Event Rescheduled", { starts_at = "2026-02-04T17:00:00Z" }, thing)
  t:expect_sent("crm", "reminder.host", { what = "moved", was_at = "2026-02-03T17:00:00Z" })
  t:expect_nothing()
end)

test("all hosts hear that it is cancelled, and why", function(t)
  t:event("Event Host Added", talk, ada)
  t:event("Event Host Added", {
    event_id = "w7", starts_at = "2026-02-01T17:00:00Z",
  }, { user = "bob", thing = "event:w7" })
  t:event("Event Cancelled", { reason = "no room" }, thing)
  t:expect_sent("crm", "reminder.host", { what = "cancelled", reason = "no room", role = "speaker" }, { user = "ada" })
  t:expect_sent("crm", "reminder.host", { what = "cancelled", role = "host" }, { user = "bob" })
  t:expect_ended("cancelled", { user = "bob" })
end)

test("who is no host any more hears nothing, the others do; who is added again is told again", function(t)
  t:event("Event Host Added", talk, ada)
  t:event("Event Host Added", talk, { user = "bob", thing = "event:w7" })
  t:event("Event Host Removed", { event_id = "w7" }, ada)
  t:expect_ended("stopped", { user = "ada" })
  t:event("Event Rescheduled", { starts_at = "2026-02-03T17:00:00Z" }, thing)
  t:expect_sent("crm", "reminder.host", { what = "moved" }, { user = "bob" })
  t:event("Event Host Added", talk, ada)
  t:expect_sent("crm", "reminder.host", { what = "added" }, { user = "bob" })
  t:expect_sent("crm", "reminder.host", { what = "added" }, { user = "ada" })
  t:expect_sent("crm", "reminder.host", { what = "added" }, { user = "ada" })
  t:expect_nothing()
end)

test("when it is over, or nobody tells for a week, the run ends without a word", function(t)
  t:event("Event Host Added", talk, ada)
  t:event("Event Host Added", {
    event_id = "w8", starts_at = "2026-01-06T17:00:00Z",
  }, { user = "ada", thing = "event:w8" })
  t:expect_sent("crm", "reminder.host", {})
  t:expect_sent("crm", "reminder.host", {})
  t:event("Event Ended", {}, thing)
  t:expect_ended("the event is over")
  t:at("2026-01-13T17:00:00Z")
  t:expect_ended("the event is over")
  t:expect_nothing()
end)

test("a move that cannot be read is not told, and without a thing nobody would hear of one", function(t)
  t:event("Event Host Added", talk, ada)
  t:expect_sent("crm", "reminder.host", { what = "added" })
  t:event("Event Rescheduled", { starts_at = "soon" }, thing)
  t:expect_nothing()
  t:event("Event Host Added", talk, { user = "bob" })
  t:expect_verdict("skipped", "'thing' is missing")
end)
