local full = {
  event_id = "w7", title = "Rules in ten minutes", starts_at = "2026-02-01T17:00:00Z", kind = "mentorship",
}
local ada = { user = "ada", thing = "event:w7" }
local offer = { event_id = "w7", hold_until = "2026-01-05T21:00:00Z", starts_at = "2026-02-01T17:00:00Z" }

test("told that they wait, told of the offer, and the goal is a registration", function(t)
  t:event("Event Waitlisted", full, ada)
  t:expect_sent("crm", "reminder.waitlist", {
    what = "waiting", customer = "ada", kind = "mentorship", event_id = "w7",
  })
  t:event("Event Seat Offered", offer, { user = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "offer", hold_until = "2026-01-05T21:00:00Z" })
  t:event("Event Registered", full, ada)
  t:expect_ended("goal")
  t:advance("30 days")
  t:expect_nothing()
end)

test("an offer that nobody takes passes the seat on at its moment", function(t)
  t:event("Event Waitlisted", full, ada)
  t:event("Event Seat Offered", offer, { user = "ada" })
  t:expect_waiting { ends = "2026-01-05T21:00:00Z" }
  t:at("2026-01-05T21:00:00Z")
  t:expect_emitted("Event Seat Passed", { event_id = "w7", person = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "expired" })
  t:expect_ended("expired")
end)

test("a declined offer is not answered with another message", function(t)
  t:event("Event Waitlisted", full, ada)
  t:event("Event Seat Offered", offer, { user = "ada" })
  t:event("Event Seat Declined", { event_id = "w7" }, ada)
  t:expect_emitted("Event Seat Passed", { person = "ada" })
  t:expect_ended("declined")
  t:expect_sent("crm", "reminder.waitlist", { what = "waiting" })
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" })
  t:expect_nothing()
end)

test("offers of another event are not this place's, cancelling ends it, and waiting again begins anew", function(t)
  t:event("Event Waitlisted", full, ada)
  t:event("Event Seat Offered", { event_id = "w8", hold_until = "2026-01-05T21:00:00Z" }, { user = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "waiting" })
  t:expect_nothing()
  t:event("Event Registration Cancelled", { event_id = "w7" }, ada)
  t:expect_ended("stopped")
  t:event("Event Waitlisted", full, ada)
  t:expect_sent("crm", "reminder.waitlist", { what = "waiting" })
end)

test("a cancelled event closes the list with its reason, also for who has an offer", function(t)
  t:event("Event Waitlisted", full, ada)
  t:event("Event Seat Offered", offer, { user = "ada" })
  t:event("Registration Voided", { event_id = "w7", reason = "the speaker is ill" }, { user = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "waiting" })
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" })
  t:expect_sent("crm", "reminder.waitlist", { what = "closed", reason = "the speaker is ill" })
  t:expect_ended("closed")
  t:expect_nothing()
end)

test("a full list is told, the end of the event and of all news is not", function(t)
  t:event("Event Waitlisted", full, ada)
  t:event("Event Waitlist Closed", { event_id = "w7", reason = "the list is full" }, { user = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "waiting" })
  t:expect_sent("crm", "reminder.waitlist", { what = "closed", reason = "the list is full" })
  for place, news in ipairs { "Registration Ended", "Registration Forgotten" } do
    local other = { user = "ada", thing = "event:x" .. place }
    t:event("Event Waitlisted", { event_id = "x" .. place }, other)
    t:expect_sent("crm", "reminder.waitlist", { what = "waiting" })
    t:event(news, { event_id = "x" .. place }, { user = "ada" })
    t:expect_ended("closed")
  end
  t:expect_nothing()
end)

test("who waits hears of a move, and the offer keeps its moment", function(t)
  t:event("Event Waitlisted", full, ada)
  t:event("Event Seat Offered", offer, { user = "ada" })
  t:advance("2 hours")
  t:event("Registration Moved", { event_id = "w7", starts_at = "2026-02-03T17:00:00Z" }, { user = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "waiting" })
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" })
  t:expect_sent("crm", "reminder.waitlist", { what = "moved", starts_at = "2026-02-03T17:00:00Z" })
  t:expect_waiting { ends = "2026-01-05T21:00:00Z" }
  t:event("Event Seat Declined", { event_id = "w7" }, ada)
  t:expect_ended("declined")
end)

test("an offer without a moment passes on at once, declining before an offer changes nothing", function(t)
  t:event("Event Waitlisted", full, ada)
  t:event("Event Seat Declined", { event_id = "w7" }, ada)
  t:expect_waiting()
  t:event("Event Seat Offered", { event_id = "w7", hold_until = "later" }, { user = "ada" })
  t:advance("1 second")
  t:expect_ended("expired")
  t:event("Event Waitlisted", { title = "x" }, { user = "ada" })
  t:expect_verdict("no key")
end)

test("when the event moves to an earlier day its offer ends half an hour before the new start", function(t)
  t:event("Event Waitlisted", { event_id = "w7", starts_at = "2026-03-20T17:00:00Z" }, { user = "ada", thing = "event:w7" })
  t:event("Event Seat Offered", { event_id = "w7", hold_until = "2026-01-05T21:00:00Z" }, { user = "ada" })
  t:event("Registration Moved", { event_id = "w7", starts_at = "2026-01-05T12:00:00Z" }, { user = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "moved", hold_until = "2026-01-05T11:30:00Z" })
  t:advance("2 hours 30 minutes")
  t:expect_ended("expired")
end)
