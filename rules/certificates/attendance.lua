-- How long each person was in a session, and a certificate for those who were there for most of it. Intervals are
-- merged, breaks and reconnects are allowed, two devices count once, and nobody has more than the session itself
-- (lib/attendance says how). The session is as long as "Event Ended" says, else as it was planned.
-- Reads, of the person: "Event Joined" and "Event Left" { event_id, connection }, and "Registration Ended" { event_id,
-- kind, title, starts_at, ends_at, credit } of rules/reminders/registration.lua.
-- Says "Event Attended" { minutes, share_percent, attended, … } to series and credits, and "Certificate Earned".
local attendance = use("lib/attendance")
local certificates = use("lib/certificates")
local shelf = use("lib/shelf")
local credits = use("lib/credits")
local times = use("lib/times")

local least_percent = 80
local kinds         = { webinar = true, workshop = true } -- what earns a certificate; the others count for series
local most_bytes    = 7000 -- of sessions that are not over: ten of the most restless kind, or a hundred usual ones

return rule {
  title = "Earn a certificate with the time spent in a session",
  on    = { "Event Joined", "Event Left", "Registration Ended" },
  class = "transactional",
  owner = "learning",
  run = function(event, customer)
    local data = event.data
    local id = data.event_id
    check(type(id) == "string", "the event does not say which session it is about")
    local marks = shelf.get(state.sessions, id)
    if event.name ~= "Registration Ended" then
      marks = attendance.mark(marks, event.time, event.name == "Event Joined", data.connection)
      local fallen
      state.sessions, fallen = shelf.put(state.sessions, id, marks, most_bytes)
      for _, lost in ipairs(fallen) do log("no room for the presence of " .. customer.id .. " in " .. lost) end
      return
    end

    state.sessions = shelf.take(state.sessions, id)
    if not marks then return finish("was not there") end
    local presence = attendance.presence(marks, times.milliseconds(data.starts_at), times.milliseconds(data.ends_at))
    if not presence then return finish("nobody has told when the session began and when it ended") end
    local attended = presence.share_percent >= least_percent
    emit("Event Attended", {
      event_id = id, kind = data.kind, title = data.title, minutes = presence.minutes,
      session_minutes = presence.session_minutes, share_percent = presence.share_percent, attended = attended,
      credit = data.credit, ended_at = data.ends_at,
    })
    if not attended then return finish(presence.share_percent .. " percent are fewer than " .. least_percent) end
    if not kinds[data.kind or ""] then return finish("attended; such a session earns no certificate by itself") end
    emit("Certificate Earned", {
      person = customer.id, name = customer.traits.name, kind = "attendance", achievement = id, title = data.title,
      earned_at = data.ends_at, minutes = presence.minutes, credit = data.credit,
      credits = credits.credits(presence.minutes, data.credit),
    }, { subject = certificates.thing("attendance", id, customer.id) })
    finish("earned")
  end,
}
