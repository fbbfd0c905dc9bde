local webinar = {
  event_id = "w7", kind = "webinar", title = "Rules in ten minutes",
  starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z",
}
local over = { event_id = "w7", starts_at = "2026-02-01T17:00:00Z", ends_at = "2026-02-01T18:00:00Z" }

local function happens(t, moment, name, user)
  t:at(moment)
  t:event(name, { event_id = "w7" }, { user = user, thing = "event:w7" })
end

local function ended(t, user, data)
  t:at("2026-02-01T18:05:00Z")
  t:event("Registration Ended", data or over, { user = user })
end

test("who was there is thanked after an hour, with the minutes of all visits together", function(t)
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  happens(t, "2026-02-01T17:00:00Z", "Event Joined", "ada")
  happens(t, "2026-02-01T17:20:00Z", "Event Left", "ada")
  happens(t, "2026-02-01T17:30:00Z", "Event Joined", "ada")
  ended(t, "ada", {
    event_id = "w7", starts_at = over.starts_at, ends_at = over.ends_at, recording_url = "https://example.com/r",
  })
  t:expect_nothing()
  t:advance("1 hour")
  t:expect_sent("crm", "reminder.follow_up", {
    what = "thanks", customer = "ada", event_id = "w7", title = "Rules in ten minutes", minutes = 50, share_percent = 83,
    recording_url = "https://example.com/r",
  })
  t:expect_ended("thanked", { user = "ada" })
  t:expect_nothing()
end)

test("who was not there hears of it next morning on their own clock, and so does who only looked in", function(t)
  t:identify({ timezone = "America/New_York" }, { user = "ada" })
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  t:event("Event Registered", webinar, { user = "bob", thing = "event:w7" })
  happens(t, "2026-02-01T17:50:00Z", "Event Joined", "bob")
  happens(t, "2026-02-01T17:54:59Z", "Event Left", "bob")
  ended(t, "ada")
  ended(t, "bob")
  t:at("2026-02-02 10:00", "UTC")
  t:expect_sent("crm", "reminder.follow_up", { what = "missed", minutes = 4 }, { user = "bob" })
  t:expect_nothing()
  t:at("2026-02-02 10:00", "America/New_York")
  t:expect_sent("crm", "reminder.follow_up", { what = "missed", minutes = 0, share_percent = 0 }, { user = "ada" })
  t:expect_ended("missed", { user = "ada" })
  t:expect_nothing()
end)

test("five minutes are enough to be thanked", function(t)
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  happens(t, "2026-02-01T17:55:00Z", "Event Joined", "ada")
  ended(t, "ada")
  t:advance("1 hour")
  t:expect_sent("crm", "reminder.follow_up", { what = "thanks", minutes = 5 })
end)

test("two devices count once, and presence at another event counts for nothing", function(t)
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  t:at("2026-02-01T17:00:00Z")
  t:event("Event Joined", { event_id = "w8" }, { user = "ada", thing = "event:w8" })
  for place, device in ipairs { "laptop", "phone" } do
    t:at("2026-02-01T17:" .. 10 * place .. ":00Z")
    t:event("Event Joined", { event_id = "w7", connection = device }, { user = "ada", thing = "event:w7" })
  end
  t:at("2026-02-01T17:30:00Z")
  t:event("Event Left", { event_id = "w7", connection = "laptop" }, { user = "ada", thing = "event:w7" })
  t:at("2026-02-01T17:40:00Z")
  t:event("Event Left", { event_id = "w7", connection = "phone" }, { user = "ada", thing = "event:w7" })
  ended(t, "ada")
  t:advance("1 hour")
  t:expect_sent("crm", "reminder.follow_up", { what = "thanks", minutes = 30 })
end)

test("who cancelled hears nothing, nor does anyone of an event that did not take place", function(t)
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  t:event("Event Registered", webinar, { user = "bob", thing = "event:w7" })
  t:event("Event Registration Cancelled", { event_id = "w7" }, { user = "ada", thing = "event:w7" })
  t:expect_ended("stopped", { user = "ada" })
  t:event("Registration Voided", { event_id = "w7" }, { user = "bob" })
  t:expect_ended("it did not take place, or nobody has told", { user = "bob" })
  t:advance("60 days")
  t:expect_nothing()
end)

test("who registers again after cancelling is followed up", function(t)
  for _ = 1, 2 do
    t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
    t:event("Event Registration Cancelled", { event_id = "w7" }, { user = "ada", thing = "event:w7" })
  end
  t:event("Event Registered", webinar, { user = "ada", thing = "event:w7" })
  ended(t, "ada")
  t:advance("1 day")
  t:expect_sent("crm", "reminder.follow_up", { what = "missed" })
  t:expect_nothing()
end)

test("without times nothing can be said, and without an event nothing begins", function(t)
  t:event("Event Registered", { event_id = "w7" }, { user = "ada", thing = "event:w7" })
  t:event("Registration Ended", { event_id = "w7", starts_at = "today" }, { user = "ada" })
  t:expect_ended("nobody has told when it began and when it ended")
  t:event("Event Registered", { title = "x" }, { user = "ada" })
  t:expect_verdict("no key")
  t:expect_nothing()
end)
