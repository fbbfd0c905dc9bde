local registered = { webinar = "w7", title = "Rules in ten minutes", starts_at = "2026-02-01T17:00:00Z" }
local thing = { thing = "webinar:w7" }

local function register(t, user)
  t:event("webinar_registered", registered, { user = user, thing = "webinar:w7" })
end

test("the reminder comes in the evening before, by the customer's own clock", function(t)
  t:identify({ timezone = "America/New_York" }, { user = "ada" })
  register(t, "ada")
  register(t, "bob")
  t:at("2026-01-31 18:00", "UTC")
  t:expect_sent("crm", "webinar.reminder", { starts_at = "2026-02-01T17:00:00Z" }, { user = "bob" })
  t:expect_nothing()
  t:at("2026-01-31 18:00", "America/New_York")
  t:expect_sent("crm", "webinar.reminder", { title = "Rules in ten minutes" }, { user = "ada" })
  t:expect_nothing()
end)

test("it follows the webinar when that moves, and comes once", function(t)
  register(t, "ada")
  t:event("webinar_moved", { starts_at = "2026-02-10T17:00:00Z" }, thing)
  t:expect_waiting { ends = "2026-02-09T18:00:00Z", user = "ada" }
  t:event("webinar_moved", { starts_at = "2026-02-08T17:00:00Z" }, thing)
  t:at("2026-02-07T18:00:00Z")
  t:expect_sent("crm", "webinar.reminder", { starts_at = "2026-02-08T17:00:00Z" })
  t:advance("30 days")
  t:expect_nothing()
end)

test("a cancelled webinar reminds nobody", function(t)
  register(t, "ada")
  register(t, "bob")
  t:event("webinar_cancelled", {}, thing)
  t:expect_ended("stopped", { user = "ada" })
  t:expect_ended("stopped", { user = "bob" })
  t:advance("60 days")
  t:expect_nothing()
end)

test("who registers after the evening is not reminded", function(t)
  t:at("2026-01-31T19:00:00Z")
  register(t, "ada")
  t:expect_verdict("skipped", "late")
  t:expect_nothing()
end)

test("without a date the webinar's own is taken", function(t)
  t:event("webinar_moved", { starts_at = "2026-02-10T17:00:00Z" }, thing)
  t:event("webinar_registered", { webinar = "w7" }, { user = "ada", thing = "webinar:w7" })
  t:expect_waiting { ends = "2026-02-09T18:00:00Z", user = "ada" }
end)
