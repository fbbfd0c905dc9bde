rules { "reminders/registration" }

local webinar = {
  event_id = "w7", kind = "webinar", title = "Rules in ten minutes",
  starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z",
}
local thing = { thing = "event:w7" }

local function at(t, clock, name, user, connection)
  t:at("2026-02-01T" .. clock .. "Z")
  t:event(name, { event_id = "w7", connection = connection }, { user = user or "ada", thing = "event:w7" })
end

local function ends(t, data)
  t:at("2026-02-01T18:01:00Z")
  t:event("Event Ended", data or { ends_at = "2026-02-01T18:00:00Z" }, thing)
  t:advance("5 minutes")
end

test("eighty percent with a reconnect earn a certificate with the minutes", function(t)
  t:identify({ name = "Ada" }, { user = "ada" })
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  at(t, "17:00:00", "Event Joined")
  at(t, "17:20:00", "Event Left")
  at(t, "17:32:00", "Event Joined")
  ends(t, { ends_at = "2026-02-01T18:00:00Z", credit = "CPE" })
  t:expect_emitted("Event Attended", {
    event_id = "w7", kind = "webinar", title = "Rules in ten minutes", minutes = 48, session_minutes = 60,
    share_percent = 80, attended = true, credit = "CPE",
  })
  t:expect_emitted("Certificate Earned", {
    person = "ada", name = "Ada", kind = "attendance", achievement = "w7", minutes = 48, credit = "CPE", credits = 0,
    earned_at = "2026-02-01T18:00:00Z",
  })
  t:expect_ended("earned", { rule = "certificates/attendance" })
end)

test("a second less than eighty percent earns none, and says so", function(t)
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  at(t, "17:12:01", "Event Joined")
  ends(t)
  t:expect_emitted("Event Attended", { share_percent = 79, attended = false })
  t:expect_ended("79 percent are fewer than 80", { rule = "certificates/attendance" })
  t:expect_state({ sessions = null }, { rule = "certificates/attendance", user = "ada" })
end)

test("two devices at once count once, and nobody has more than the session", function(t)
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  at(t, "16:30:00", "Event Joined", "ada", "laptop")
  at(t, "16:40:00", "Event Joined", "ada", "phone")
  at(t, "17:30:00", "Event Left", "ada", "laptop")
  ends(t)
  t:expect_emitted("Event Attended", { minutes = 60, share_percent = 100 })
end)

test("the session is as long as it really was", function(t)
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  at(t, "17:10:00", "Event Joined")
  ends(t, { starts_at = "2026-02-01T17:10:00Z", ends_at = "2026-02-01T17:40:00Z" })
  t:expect_emitted("Event Attended", { minutes = 30, session_minutes = 30, share_percent = 100 })
end)

test("who joins without having registered counts, who only registered does not", function(t)
  t:event("Event Registered", webinar, { user = "bob", thing = "event:w7" })
  at(t, "17:00:00", "Event Joined", "ada")
  ends(t, { kind = "workshop", title = "Rules", starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z" })
  t:expect_emitted("Certificate Earned", { person = "ada", title = "Rules" })
  t:expect_ended("was not there", { user = "bob", rule = "certificates/attendance" })
end)

test("office hours earn no certificate by themselves, and are told all the same", function(t)
  at(t, "17:00:00", "Event Joined", "ada")
  ends(t, { kind = "office hours", starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z" })
  t:expect_emitted("Event Attended", { attended = true, kind = "office hours" })
  t:expect_ended("attended; such a session earns no certificate by itself", { rule = "certificates/attendance" })
end)

test("a session that took place twice under one name counts each time by itself", function(t)
  at(t, "17:00:00", "Event Joined")
  ends(t, { kind = "webinar", starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z" })
  t:expect_emitted("Event Attended", { minutes = 60 })
  t:at("2026-02-01T19:00:00Z")
  t:event("Registration Ended", { event_id = "w7" }, { user = "ada" })
  t:expect_ended("was not there", { rule = "certificates/attendance" })
end)

test("without times, without a session and with nonsense nothing is earned", function(t)
  t:event("Event Joined", { event_id = "w7", connection = "x" }, { user = "ada" })
  t:event("Registration Ended", { event_id = "w7", starts_at = "five" }, { user = "ada" })
  t:expect_ended("nobody has told when the session began and when it ended", { rule = "certificates/attendance" })
  t:event("Event Left", {}, { user = "ada" })
  t:expect_verdict("skipped", "which session", { rule = "certificates/attendance" })
end)

test("many open sessions do not overflow what is remembered, and what is lost is in the log", function(t)
  for number = 1, 300 do
    t:event("Event Joined", {
      event_id = "a session with a long name " .. number,
    }, { user = "ada", thing = "event:" .. number })
  end
  t:expect_logged("no room for the presence of ada in a session with a long name 1")
end)
