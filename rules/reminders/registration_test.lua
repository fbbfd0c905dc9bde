local webinar = {
  event_id = "w7", kind = "webinar", title = "Rules in ten minutes",
  starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z",
}
local thing, ada, bob = { thing = "event:w7" }, {
  user = "ada", thing = "event:w7",
}, { user = "bob", thing = "event:w7" }

test("everyone registered hears of each move, with the end that follows from it", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Registered", webinar, bob)
  t:event("Event Rescheduled", { starts_at = "2026-02-03T17:00:00Z" }, thing)
  for _ = 1, 2 do
    t:expect_emitted("Registration Moved", {
      event_id = "w7", starts_at = "2026-02-03T17:00:00Z", ends_at = "2026-02-03T18:00:00Z",
    })
  end
  t:event("Event Rescheduled", { starts_at = "2026-02-04T17:00:00Z", ends_at = "2026-02-04T19:00:00Z" }, thing)
  t:expect_emitted("Registration Moved", { ends_at = "2026-02-04T19:00:00Z" })
  t:expect_nothing()
end)

test("the end is told a little later, with the newest times, and the run is over", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Rescheduled", { starts_at = "2026-01-05T10:00:00Z" }, thing)
  t:advance("2 hours")
  t:event("Event Ended", { recording_url = "https://example.com/r" }, thing)
  t:expect_waiting { left = "5 minutes", user = "ada" }
  t:advance("5 minutes")
  t:expect_emitted("Registration Ended", {
    event_id = "w7", kind = "webinar", title = "Rules in ten minutes", starts_at = "2026-01-05T10:00:00Z",
    ends_at = "2026-01-05T11:00:00Z", recording_url = "https://example.com/r",
  })
  t:expect_ended("the event has ended", { user = "ada" })
end)

test("what the end itself tells counts more than what was planned", function(t)
  t:event("Event Registered", webinar, ada)
  t:at("2026-02-01T18:20:00Z")
  t:event("Event Ended", {
    starts_at = "2026-02-01T17:05:00Z", ends_at = "2026-02-01T18:15:00Z", kind = "workshop",
  }, thing)
  t:advance("5 minutes")
  t:expect_emitted("Registration Ended", {
    kind = "workshop", starts_at = "2026-02-01T17:05:00Z", ends_at = "2026-02-01T18:15:00Z",
  })
end)

test("who joins without having registered is told of the end as well, which is then when it was said", function(t)
  t:at("2026-02-01T17:10:00Z")
  t:event("Event Joined", { event_id = "w7" }, ada)
  t:at("2026-02-01T18:00:00Z")
  t:event("Event Ended", { starts_at = "2026-02-01T17:00:00Z" }, thing)
  t:advance("5 minutes")
  t:expect_emitted("Registration Ended", { starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z" })
end)

test("a cancelled event is told with its reason, and after a cancelled registration nothing is", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Registered", webinar, bob)
  t:event("Event Registration Cancelled", { event_id = "w7" }, bob)
  t:expect_ended("stopped", { user = "bob" })
  t:event("Event Cancelled", { reason = "the speaker is ill" }, thing)
  t:expect_emitted("Registration Voided", { event_id = "w7", reason = "the speaker is ill" })
  t:expect_ended("the event is cancelled", { user = "ada" })
  t:expect_not_waiting { user = "bob" }
end)

test("who registers again is followed again, who joins is followed once", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Joined", { event_id = "w7" }, ada)
  t:expect_verdict("second")
  t:event("Event Registration Cancelled", { event_id = "w7" }, ada)
  t:event("Event Registered", webinar, ada)
  t:expect_verdict("waiting")
end)

test("it gives up a week after the start, wherever that has moved to", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Rescheduled", { starts_at = "2026-03-01T17:00:00Z" }, thing)
  t:expect_emitted("Registration Moved")
  t:at("2026-03-08T16:59:00Z")
  t:expect_waiting { user = "ada" }
  t:advance("1 minute")
  t:expect_emitted("Registration Forgotten", { event_id = "w7" })
  t:expect_ended("nobody has told how the event ended", { user = "ada" })
end)

test("a new date that cannot be read changes nothing, and without an event nobody is followed", function(t)
  t:event("Event Registered", webinar, ada)
  t:event("Event Rescheduled", { starts_at = "soon" }, thing)
  t:event("Event Rescheduled", {}, thing)
  t:at("2026-02-01T18:00:00Z")
  t:event("Event Ended", {}, thing)
  t:advance("5 minutes")
  t:expect_emitted("Registration Ended", { starts_at = "2026-02-01T17:00:00Z" })
  t:event("Event Registered", { title = "Rules in ten minutes" }, ada)
  t:expect_verdict("no key")
end)

test("who waits for a seat is followed once, also after getting one", function(t)
  t:event("Event Waitlisted", webinar, ada)
  t:event("Event Registered", webinar, ada)
  t:expect_verdict("second")
  t:event("Event Cancelled", {}, thing)
  t:expect_emitted("Registration Voided", { event_id = "w7" })
end)
