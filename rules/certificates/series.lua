-- Several sessions together: whoever attended all of a series, or as many as are needed, earns one certificate for
-- it. The series stand in data/series.csv with the ids of their sessions.
-- Reads: "Event Attended" { event_id, minutes, attended } of rules/certificates/attendance.lua.
local certificates = use("lib/certificates")
local series = use("data/series")
local shelf = use("lib/shelf")

local most_bytes = 7000 -- of series that are not complete yet

return rule {
  title = "Earn a certificate with all sessions of a series",
  on    = "Event Attended",
  class = "transactional",
  owner = "learning",
  when  = function(event) return event.data.attended == true end,
  run = function(event, customer)
    local id, found = event.data.event_id, false
    for name, one in pairs(series) do
      local sessions = certificates.words(one.sessions)
      local done, minutes, belongs = shelf.get(state.series, name), 0, false
      for _, session in ipairs(sessions) do belongs = belongs or session == id end
      if belongs then
        found = true
        done = shelf.put(done, id, event.data.minutes or 0, 2000)
        local attended = shelf.all(done)
        for _, session in ipairs(attended) do minutes = minutes + (math.tointeger(tonumber(session.note)) or 0) end
        state.series = shelf.put(state.series, name, done, most_bytes)
        if #attended >= one.needed then
          -- What was attended stays: a fourth session of three is told again, and is the same certificate.
          emit("Certificate Earned", {
            person = customer.id, name = customer.traits.name, kind = "series", achievement = name, title = one.title,
            earned_at = event.data.ended_at, valid_days = one.valid_days, minutes = minutes,
          }, { subject = certificates.thing("series", name, customer.id) })
        end
      end
    end
    check(found, "this session belongs to no series")
  end,
}
