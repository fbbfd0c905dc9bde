local function lesson(t, id, score, user)
  t:event("Lesson Completed", { course_id = "lua-1", lesson_id = id, score = score }, { user = user or "ada" })
end

local function complete(t, score, user)
  t:event("Course Completed", { course_id = "lua-1", score = score }, { user = user or "ada" })
end

test("a completed course with all lessons and the score earns a certificate and its credits", function(t)
  t:identify({ name = "Ada" }, { user = "ada" })
  for _, id in ipairs { "basics", "tables", "exam" } do lesson(t, id, 90) end
  t:expect_state { parts = "lua-1=basics%3D90%0Atables%3D90%0Aexam%3D90%0A\n" }
  complete(t, 88)
  t:expect_emitted("Certificate Earned", {
    person = "ada", name = "Ada", kind = "course", achievement = "lua-1", title = "Lua for teams", score = 88,
    earned_at = "2026-01-05T09:00:00Z", credit = "CPE", credits = 3, valid_days = null,
  })
  t:expect_emitted("Course Passed", { course_id = "lua-1", score = 88 })
  t:expect_ended("earned")
end)

test("the order of events does not matter, and the better score of a lesson counts", function(t)
  complete(t)
  t:expect_ended("lessons are missing: basics, tables, exam")
  lesson(t, "exam", 40)
  lesson(t, "exam", 80)
  lesson(t, "exam", 60)
  lesson(t, "tables", 70)
  lesson(t, "basics", 60)
  t:expect_emitted("Certificate Earned", { achievement = "lua-1", score = 70 })
end)

test("a score that is missed is told with what is reached, and can be made good", function(t)
  for _, id in ipairs { "basics", "tables", "exam" } do lesson(t, id) end
  complete(t, 69)
  t:expect_ended("69 of 70 points are reached")
  complete(t, 71)
  t:expect_emitted("Certificate Earned", { score = 71 })
end)

test("a course without required lessons needs its score alone, and is valid for a year", function(t)
  t:event("Course Completed", { course_id = "safety-1", score = 99 })
  t:expect_ended("99 of 100 points are reached")
  t:event("Course Completed", { course_id = "safety-1", score = 100 })
  t:expect_emitted("Certificate Earned", { person = "42", achievement = "safety-1", valid_days = 365, credits = null })
end)

test("what is told again after it was earned earns nothing, doing all of it again does", function(t)
  for _ = 1, 2 do
    for _, id in ipairs { "basics", "tables", "exam" } do lesson(t, id, 90) end
    complete(t, 90)
    t:expect_emitted("Certificate Earned", { achievement = "lua-1" })
    complete(t, 90)
    t:expect_ended("lessons are missing: basics, tables, exam")
    lesson(t, "basics", 90)
    t:expect_ended("lessons are missing: tables, exam")
  end
end)

test("courses and people are apart", function(t)
  for _, id in ipairs { "basics", "tables", "exam" } do lesson(t, id, 90, "ada") end
  complete(t, 90, "bob")
  t:expect_ended("lessons are missing: basics, tables, exam", { user = "bob" })
  t:event("Course Completed", { course_id = "lua-2", score = 90 }, { user = "ada" })
  t:expect_ended("lessons are missing: closures, limits, exam", { user = "ada" })
end)

test("unknown courses, lessons without a name and scores that are none earn nothing", function(t)
  t:event("Course Completed", { course_id = "cooking", score = 100 })
  t:expect_verdict("skipped", "has no certificate")
  t:event("Course Completed", { score = 100 })
  t:expect_verdict("skipped", "has no certificate")
  t:event("Lesson Completed", { course_id = "lua-1", score = 100 })
  t:expect_verdict("skipped", "no lesson_id")
  t:event("Course Completed", { course_id = "safety-1", score = "full" })
  t:expect_ended("0 of 100 points are reached")
  t:expect_nothing()
end)
