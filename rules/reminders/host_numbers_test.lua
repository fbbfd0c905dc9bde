local talk = { event_id = "w7", role = "speaker", title = "Rules in ten minutes", starts_at = "2026-02-01T17:00:00Z" }
local thing = { thing = "event:w7" }
local function of(user) return { user = user, thing = "event:w7" } end

test("an hour before each host hears how many come and how many wait", function(t)
  t:event("Event Host Added", talk, of "ada")
  t:event("Event Host Added", { event_id = "w7", starts_at = "2026-02-01T17:00:00Z" }, of "bob")
  for _, user in ipairs { "cy", "dan", "eve" } do t:event("Event Registered", { event_id = "w7" }, of(user)) end
  t:event("Event Registered", { event_id = "w8" }, { user = "cy", thing = "event:w8" })
  t:event("Event Registration Cancelled", { event_id = "w7" }, of "dan")
  t:event("Event Waitlist Counted", { event_id = "w7", waiting = 4 }, thing)
  t:event("Event Waitlist Counted", { event_id = "w7", waiting = 3 }, thing)
  t:at("2026-02-01T15:59:00Z")
  t:expect_nothing()
  t:at("2026-02-01T16:00:00Z")
  t:expect_sent("crm", "reminder.host", {
    what = "numbers", customer = "ada", role = "speaker", registrations = 2, waiting = 3, event_id = "w7",
    title = "Rules in ten minutes", starts_at = "2026-02-01T17:00:00Z",
  })
  t:expect_sent("crm", "reminder.host", { what = "numbers", customer = "bob", role = "host", registrations = 2 })
  t:expect_nothing()
end)

test("it moves with the event, and says nothing of one that is cancelled", function(t)
  t:event("Event Host Added", talk, of "ada")
  t:event("Event Rescheduled", { starts_at = "2026-02-10T17:00:00Z" }, thing)
  t:at("2026-02-10T16:00:00Z")
  t:expect_sent("crm", "reminder.host", { registrations = 0, waiting = 0, starts_at = "2026-02-10T17:00:00Z" })
  t:event("Event Host Added", {
    event_id = "w8", starts_at = "2026-03-01T17:00:00Z",
  }, { user = "ada", thing = "event:w8" })
  t:event("Event Cancelled", {}, { thing = "event:w8" })
  t:advance("60 days")
  t:expect_nothing()
end)

test("removing one host leaves the other, and who is added in the last hour hears at once", function(t)
  t:event("Event Host Added", talk, of "ada")
  t:event("Event Host Added", talk, of "bob")
  t:event("Event Host Removed", { event_id = "w7" }, of "ada")
  t:at("2026-02-01T16:30:00Z")
  t:expect_sent("crm", "reminder.host", { customer = "bob" })
  t:expect_nothing()
  t:event("Event Host Added", talk, of "ada")
  t:expect_sent("crm", "reminder.host", { customer = "ada" })
end)

test("there are never fewer than none, and a date that cannot be read is left out", function(t)
  t:event("Event Host Added", talk, of "ada")
  t:event("Event Registration Cancelled", { event_id = "w7" }, of "dan")
  t:at("2026-02-01T16:00:00Z")
  t:expect_sent("crm", "reminder.host", { registrations = 0 })
  t:event("Event Host Added", { event_id = "w8", starts_at = 5.5 }, { user = "ada", thing = "event:w8" })
  t:expect_verdict("skipped")
  t:event("Event Host Added", talk, thing)
  t:expect_verdict("no key")
  t:expect_nothing()
end)
