rules { "reminders/waitlist_place", "reminders/registration" }

local thing = { thing = "event:w7" }
local function of(user) return { user = user, thing = "event:w7" } end
local full = {
  event_id = "w7", title = "Rules in ten minutes", starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z",
}

local function wait_in_line(t, ...)
  for _, user in ipairs { ... } do
    t:event("Event Waitlisted", full, of(user))
    t:expect_sent("crm", "reminder.waitlist", { what = "waiting" }, { user = user })
  end
end

local function seat(t) t:event("Event Seat Freed", { event_id = "w7" }, thing) end

test("a free seat goes to the first, and those behind hear nothing", function(t)
  wait_in_line(t, "ada", "bob")
  seat(t)
  t:expect_sent("crm", "reminder.waitlist", {
    what = "offer", event_id = "w7", hold_until = "2026-01-05T21:00:00Z", starts_at = "2026-02-01T17:00:00Z",
    ends_at = "2026-02-01T18:00:00Z", title = "Rules in ten minutes",
  }, { user = "ada" })
  t:expect_nothing()
  t:event("Event Registered", full, of "ada")
  t:expect_ended("goal", { user = "ada", rule = "reminders/waitlist_place" })
  t:advance("13 hours")
  t:expect_nothing()
  seat(t)
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" }, { user = "bob" })
end)

test("an offer that is not taken passes on after twelve hours, one that is declined at once", function(t)
  wait_in_line(t, "ada", "bob", "cy")
  seat(t)
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" }, { user = "ada" })
  t:advance("12 hours")
  t:expect_sent("crm", "reminder.waitlist", { what = "expired" }, { user = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "offer", hold_until = "2026-01-06T09:00:00Z" }, { user = "bob" })
  t:event("Event Seat Declined", { event_id = "w7" }, of "bob")
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" }, { user = "cy" })
  t:expect_ended("declined", { user = "bob", rule = "reminders/waitlist_place" })
  t:expect_nothing()
  t:event("Event Waitlisted", full, of "ada")
  t:expect_sent("crm", "reminder.waitlist", { what = "waiting" }, { user = "ada" })
end)

test("a seat freed while nobody waited goes to the next one who does, unless someone has taken it", function(t)
  seat(t)
  wait_in_line(t, "ada")
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" }, { user = "ada" })
  t:event("Event Registered", full, of "ada")
  seat(t)
  t:event("Event Registered", full, of "zoe")
  wait_in_line(t, "bob")
  t:expect_nothing()
  t:expect_state({ free = null }, { thing = "event:w7", rule = "reminders/waitlist" })
end)

test("who cancels leaves the list, and a kept seat passes on", function(t)
  wait_in_line(t, "ada", "bob", "cy")
  t:event("Event Registration Cancelled", { event_id = "w7" }, of "bob")
  seat(t)
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" }, { user = "ada" })
  t:event("Event Registration Cancelled", { event_id = "w7" }, of "ada")
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" }, { user = "cy" })
  t:advance("1 day")
  t:expect_sent("crm", "reminder.waitlist", { what = "expired" }, { user = "cy" })
  t:expect_nothing()
end)

test("after a move the offer has the new time, and shortly before the start it is short or not made", function(t)
  wait_in_line(t, "ada", "bob")
  t:event("Event Rescheduled", { starts_at = "2026-01-05T13:00:00Z" }, thing)
  t:expect_sent("crm", "reminder.waitlist", { what = "moved", starts_at = "2026-01-05T13:00:00Z" }, { user = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "moved" }, { user = "bob" })
  seat(t)
  t:expect_sent("crm", "reminder.waitlist", {
    what = "offer", starts_at = "2026-01-05T13:00:00Z", ends_at = "2026-01-05T14:00:00Z", hold_until = "2026-01-05T12:30:00Z",
  }, { user = "ada" })
  t:at("2026-01-05T12:30:00Z")
  t:expect_sent("crm", "reminder.waitlist", { what = "expired" }, { user = "ada" })
  t:expect_nothing()
end)

test("when the event is cancelled everyone is told, those with an offer too", function(t)
  wait_in_line(t, "ada", "bob")
  seat(t)
  t:expect_sent("crm", "reminder.waitlist", { what = "offer" })
  t:event("Event Cancelled", { reason = "the speaker is ill" }, thing)
  t:expect_sent("crm", "reminder.waitlist", { what = "closed", reason = "the speaker is ill" }, { user = "ada" })
  t:expect_sent("crm", "reminder.waitlist", { what = "closed", reason = "the speaker is ill" }, { user = "bob" })
  t:expect_state({ queue = null, offers = null, free = null }, { thing = "event:w7", rule = "reminders/waitlist" })
  t:advance("30 days")
  t:expect_nothing()
end)

test("of a long list everyone is told, however many effects that takes", function(t)
  for number = 1, 150 do t:event("Event Waitlisted", full, of("u" .. number)) end
  t:event("Event Cancelled", {}, thing)
  for number = 1, 150 do
    t:expect_sent("crm", "reminder.waitlist", { what = "waiting" }, { user = "u" .. number })
    t:expect_sent("crm", "reminder.waitlist", {
      what = "closed", reason = "the event is cancelled",
    }, { user = "u" .. number })
  end
  t:expect_nothing()
end)

test("who comes when the list is full is told so", function(t)
  local long = ("x"):rep(190)
  for number = 10, 50 do t:event("Event Waitlisted", full, of(long .. number)) end
  t:expect_sent("crm", "reminder.waitlist", { what = "closed", reason = "the list is full" }, { user = long .. "50" })
  t:expect_sent("crm", "reminder.waitlist", { what = "waiting" }, { user = long .. "10" })
end)

test("how many wait is told to the event itself, and nobody waits twice", function(t)
  wait_in_line(t, "ada", "bob")
  t:expect_emitted("Event Waitlist Counted", { waiting = 1 })
  t:expect_emitted("Event Waitlist Counted", { waiting = 2 })
  t:event("Event Waitlisted", full, of "ada")
  t:expect_verdict("skipped", "in the list already", { rule = "reminders/waitlist" })
  t:expect_nothing()
end)

test("when the event is over its list is empty, and a place needs a person", function(t)
  wait_in_line(t, "ada")
  t:event("Event Ended", {}, thing)
  t:expect_state({ queue = null, offers = null, free = null }, { thing = "event:w7", rule = "reminders/waitlist" })
  t:event("Event Waitlisted", full, thing)
  t:expect_verdict("skipped", "does not say who waits", { rule = "reminders/waitlist" })
  t:expect_nothing()
end)
