-- After an event: thanks to those who were there, with how long, and a kind word with the recording to those who
-- were not. Who cancelled hears nothing, and neither does anyone when the event was cancelled.
-- Reads: "Event Registered" { event_id, title, starts_at, ends_at, … }, "Event Joined" and "Event Left" { event_id,
-- connection }, "Event Registration Cancelled" of the person; "Registration Ended", "Registration Voided" and
-- "Registration Forgotten" of rules/reminders/registration.lua.
-- What counts as being there is in lib/attendance; certificates have stricter rules of their own.
local attendance = use("lib/attendance")
local reminders = use("lib/reminders")
local times = use("lib/times")

local fewest_minutes = 5                                -- who only looked in is asked back as those who never came
local thanks_after   = "1 hour"
local missed_at      = { days = 1, at = "10:00" }       -- on their own clock

return rule {
  title   = "Thank those who came, and send the recording to those who did not",
  on      = "Event Registered",
  key     = "data.event_id",
  stop_on = "Event Registration Cancelled",
  topic   = "follow_up",
  owner   = "events",
  run = function(event, customer)
    local marks, over
    repeat
      local news = wait_any {
        "Event Joined", "Event Left", "Registration Ended", "Registration Voided", "Registration Forgotten",
      }
      if news.name == "Event Joined" or news.name == "Event Left" then
        marks = attendance.mark(marks, news.time, news.name == "Event Joined", news.data.connection)
      else
        over = news
      end
    until over
    if over.name ~= "Registration Ended" then return finish("it did not take place, or nobody has told") end

    local told = over.data
    local presence = attendance.presence(marks, times.milliseconds(told.starts_at), times.milliseconds(told.ends_at))
    if not presence then return finish("nobody has told when it began and when it ended") end
    local came = presence.minutes >= fewest_minutes
    if came then wait(thanks_after) else wait_until(missed_at) end
    local message = reminders.message(came and "thanks" or "missed", event, customer, told.starts_at, told.ends_at)
    message.minutes, message.share_percent = presence.minutes, presence.share_percent
    message.recording_url = told.recording_url
    send("crm", "reminder.follow_up", message)
    finish(came and "thanked" or "missed")
  end,
}
