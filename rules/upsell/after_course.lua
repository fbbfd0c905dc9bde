-- Somebody has completed a course: a day later, when the joy is fresh and the certificate is there, name the next one.
-- Reads "Course Completed" { course_id, score } and "Course Enrolled" { course_id }. What follows what stands in
-- data/courses.csv. Who enrols by themselves within that day needs no offer, and who barely passed needs practice.
local courses = use("data/courses")
local offers  = use("lib/offers")
local good_score = 60

return rule {
  title    = "Name the next course a day after one was completed",
  on       = "Course Completed",
  key      = "data.course_id",
  again    = "never",
  topic    = "offers",
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer)
    local row = courses[event.data.course_id]
    check(row and row.next, "no course follows this one")
    local score = event.data.score
    check(type(score) ~= "number" or score >= good_score,
      "the score is below " .. good_score .. ": practice comes first")
    check(last("Course Enrolled", "data.course_id", "366 days") ~= row.next, "the next course is begun already")
    local enrolled = wait_for("Course Enrolled", { within = "1 day", match = { course_id = row.next } })
    if enrolled then return finish("began the next course without an offer") end
    local refusal = offers.refusal(customer.traits, now())
    if refusal then skip(refusal) end
    set(offers.made("after_course", now()))
    send("crm", "upsell.offer", {
      customer = customer.id, offer = "after_course", product = row.next,
      reason = "completed " .. event.data.course_id .. "; next is " .. row.title,
    })
  end,
}
