-- A week before a course is due, at nine in the morning on the learner's own clock. Stops when the course is
-- completed, follows the date when that is moved, and leaves out what is late: who enrols later than that has just
-- read the date.
-- Reads, all of the learner: "Course Enrolled" { course_id, title, due_at }, "Course Due Date Moved" { course_id,
-- due_at }, "Course Completed" { course_id }. A course without due_at waits for a date and reminds of nothing before.
local reminders = use("lib/reminders")

local lead = { days = 7, at = "09:00" }

return rule {
  title    = "Remind of a course a week before it is due",
  on       = before("data.due_at", lead, {
    event = { "Course Enrolled", "Course Due Date Moved" }, moved = "Course Due Date Moved",
  }),
  key      = "data.course_id",
  -- Who was reminded already, and has more time now, is reminded anew.
  when     = function(event)
    return event.name == "Course Enrolled" or reminders.was_reminded(state, event)
      and last("Course Completed", "data.course_id", "366 days") ~= event.data.course_id
  end,
  stop_on  = "Course Completed",
  topic    = "reminders",
  late     = "skip",
  catch_up = "1 day", -- later than that it would say what is not true any more
  owner    = "learning",
  run = function(event, customer, date)
    state.reminded = reminders.note(state, event.data.course_id, event.data.title)
    send("crm", "reminder.course", reminders.course("7 days", event, customer, date, state), { within = "1 day" })
  end,
}
