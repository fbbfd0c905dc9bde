-- A course is earned when it is completed, every required lesson is done, and the score is reached: what is required
-- stands in data/certificates.csv, one line for each course, and counts as it stands there now. In which order the
-- events come does not matter, and a lesson that is done twice counts with its better score.
-- Reads: "Lesson Completed" { course_id, lesson_id, score } and "Course Completed" { course_id, score } of the learner.
-- A course that is completed without a score has the mean of its required lessons.
-- It issues nothing by itself: it says "Certificate Earned" to rules/certificates/issue.lua.
local certificates = use("lib/certificates")
local courses = use("data/certificates")
local credits = use("lib/credits")
local shelf = use("lib/shelf")
local times = use("lib/times")

local most_bytes = 7000 -- of courses that are not finished yet, some 50; the one untouched for longest is forgotten

return rule {
  title = "Earn a certificate with a completed course, its lessons and its score",
  on    = { "Lesson Completed", "Course Completed" },
  class = "transactional",
  owner = "learning",
  run = function(event, customer)
    local id, score = event.data.course_id, tonumber(event.data.score)
    local course = type(id) == "string" and courses[id]
    check(course, "this course has no certificate: it is not in data/certificates.csv")
    local part = event.name == "Course Completed" and "(all)" or event.data.lesson_id
    check(type(part) == "string" and #part <= 100, "the lesson has no lesson_id, or one that is too long")

    local parts = shelf.get(state.parts, id)
    local best = tonumber(shelf.get(parts, part))
    if best and (not score or best > score) then score = best end
    parts = shelf.put(parts, part, score or "", 2000)

    local missing, sum, scored = {}, 0, 0
    for _, lesson in ipairs(certificates.words(course.lessons)) do
      local note = shelf.get(parts, lesson)
      if not note then missing[#missing + 1] = lesson end
      if tonumber(note) then sum, scored = sum + tonumber(note), scored + 1 end
    end
    local completed = shelf.get(parts, "(all)")
    local total = tonumber(completed) or scored > 0 and sum / scored or nil
    local reason
    if not completed then
      reason = "the course is not completed yet"
    elseif #missing > 0 then
      reason = "lessons are missing: " .. table.concat(missing, ", ")
    elseif (total or 0) < (course.score or 0) then
      reason = ("%s of %s points are reached"):format(total or 0, course.score)
    end
    if reason then
      state.parts = shelf.put(state.parts, id, parts, most_bytes)
      return finish(reason)
    end

    -- What is earned is forgotten here: for a renewal the course is done again, all of it.
    state.parts = shelf.take(state.parts, id)
    emit("Course Passed", { course_id = id, title = course.title, score = total })
    emit("Certificate Earned", {
      person = customer.id, name = customer.traits.name, kind = "course", achievement = id, title = course.title,
      earned_at = times.text(event.time), valid_days = course.valid_days, score = total, credit = course.credit,
      credits = credits.credits(course.credit_minutes, course.credit),
    }, { subject = certificates.thing("course", id, customer.id) })
    finish("earned")
  end,
}
