local function attend(t, id, minutes, credit, ended_at)
  t:event("Event Attended", {
    event_id = id, title = "Rules", minutes = minutes, credit = credit, ended_at = ended_at or "2026-01-05T10:00:00Z",
  })
end

test("minutes become credits, rounded down, with the sum of the year", function(t)
  t:identify { name = "Ada" }
  attend(t, "w1", 75, "CPE")
  t:expect_sent("learning", "certificate.credits", {
    customer = "42", name = "Ada", source = "event/w1", title = "Rules", credit = "CPE", credits = 1.5, minutes = 75,
    year = 2026, year_total = 1.5, earned_at = "2026-01-05T10:00:00Z",
  })
  attend(t, "w2", 124, "CPE")
  t:expect_sent("learning", "certificate.credits", { credits = 2, year_total = 3.5 })
  attend(t, "w3", 60, "CEU")
  t:expect_sent("learning", "certificate.credits", { credit = "CEU", credits = 0.1, year_total = 0.1 })
  t:expect_nothing()
end)

test("a course brings what the table says, once a year", function(t)
  t:event("Course Passed", { course_id = "lua-1", title = "Lua for teams" })
  t:expect_sent("learning", "certificate.credits", {
    source = "course/lua-1", credit = "CPE", credits = 3, minutes = 150,
  })
  t:event("Course Passed", { course_id = "lua-1" })
  t:expect_verdict("skipped", "credited already")
  t:at("2027-01-02T09:00:00Z")
  t:event("Course Passed", { course_id = "lua-1" })
  t:expect_sent("learning", "certificate.credits", { year = 2027, year_total = 3 })
  t:expect_nothing()
end)

test("a session is credited once, in the year in which it ended", function(t)
  t:at("2027-01-01T00:30:00Z")
  attend(t, "w1", 50, "CPE", "2026-12-31T23:59:00Z")
  t:expect_sent("learning", "certificate.credits", { year = 2026 })
  attend(t, "w1", 100, "CPE", "2026-12-31T23:59:00Z")
  t:expect_verdict("skipped", "credited already")
  t:expect_nothing()
end)

test("less than the least, no kind of credit, an unknown one and no minutes bring nothing", function(t)
  attend(t, "w1", 49, "CPE")
  t:expect_verdict("skipped", "too short")
  attend(t, "w1", 50, nil)
  t:expect_verdict("skipped", "no credits")
  attend(t, "w1", 50, "XYZ")
  t:expect_verdict("skipped", "not in data/credits.csv")
  attend(t, "w1", "fifty", "CPE")
  t:expect_verdict("skipped", "no minutes")
  t:event("Course Passed", { course_id = "safety-1" })
  t:expect_verdict("skipped", "no credits")
  t:expect_nothing()
  attend(t, "w1", 50, "CPE")
  t:expect_sent("learning", "certificate.credits")
end)
