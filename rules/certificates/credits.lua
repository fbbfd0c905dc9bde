-- Credits of continuing education for attended sessions and passed courses: CPE (50 minutes are one) and CEU (ten hours
-- are one), rounded down as data/credits.csv says, with the sum of the year. Once for each session, and once a year
-- for each course. Minutes count, and not the share of the session: credits are for time, certificates for attendance.
-- Reads: "Event Attended" { event_id, title, minutes, credit, ended_at } of attendance.lua, where "Event Ended" has
-- named a kind of credit, and "Course Passed" { course_id, title } of course.lua.
local courses = use("data/certificates")
local credits = use("lib/credits")
local shelf = use("lib/shelf")
local times = use("lib/times")

local most_bytes = 6000 -- what was credited already, some 200 sessions: older ones are long over

return rule {
  title = "Credit the hours of learning",
  on    = { "Event Attended", "Course Passed" },
  class = "transactional",
  owner = "learning",
  run = function(event, customer)
    local data = event.data
    local course = data.course_id and courses[data.course_id] or {}
    local credit, minutes = course.credit or data.credit, course.credit_minutes or data.minutes
    check(credit, "it brings no credits")
    local given = credits.hundredths(minutes, credit)
    check(given, "the kind of credit is not in data/credits.csv, or there are no minutes")
    check(given > 0, "it was too short for a credit")

    local year = times.year(times.milliseconds(data.ended_at) or event.time)
    local source = data.course_id and "course/" .. data.course_id or "event/" .. data.event_id
    local once = source .. "/" .. year
    check(not shelf.get(state.given, once), "it was credited already")
    state.given = shelf.put(state.given, once, given, most_bytes)
    local sum = credit .. " " .. year
    state[sum] = (state[sum] or 0) + given
    send("learning", "certificate.credits", {
      customer = customer.id, name = customer.traits.name, source = source, title = data.title, credit = credit,
      credits = given / 100, minutes = minutes, year = year, year_total = state[sum] / 100,
      earned_at = data.ended_at or times.text(event.time),
    })
  end,
}
