-- How long someone was in a session, from the moments of joining and leaving.
--
-- The moments are kept as one short text, in state or in a local, so that a rule can remember many sessions:
--   marks = attendance.mark(marks, event.time, true)          -- joined
--   marks = attendance.mark(marks, event.time, false)         -- left
--   local presence = attendance.presence(marks, starts, ends) -- { seconds, minutes, session_minutes, share_percent }
--
-- Two devices at once count once; coming back after a break opens a new interval; who is still there at the end was
-- there until the end, because many systems do not tell of leaving when the host closes the room. A moment of
-- leaving without one of joining counts for nothing. What lies outside of the session does not count.

local most_marks = 64 -- at most 9 bytes each for sessions of a day; beyond it the shortest absences are forgotten

-- A device in two letters: enough to tell the few of one person apart.
local function code(connection)
  if connection == nil or connection == "" then return "" end
  local sum = 7
  for _, byte in ipairs { tostring(connection):byte(1, 200) } do sum = (sum * 31 + byte) % 676 end
  return string.char(97 + sum // 26, 97 + sum % 26)
end

-- "1772388000|+0;-1800;+1860ab;" : seconds since 1970 of the first mark, then each mark after it.
local function read(text)
  local base, rest = (text or ""):match("^(%d+)|(.*)$")
  local marks = {}
  if not base then return nil, marks end
  for sign, offset, device in rest:gmatch("([+-])(%-?%d+)(%l*);") do
    marks[#marks + 1] = { joined = sign == "+", offset = math.tointeger(tonumber(offset)), device = device }
  end
  return math.tointeger(tonumber(base)), marks
end

local function write(base, marks)
  local parts = {}
  for place, mark in ipairs(marks) do
    parts[place] = (mark.joined and "+" or "-") .. mark.offset .. mark.device .. ";"
  end
  return base .. "|" .. table.concat(parts)
end

local function by_offset(one, other) return one.offset < other.offset end

-- Takes the shortest absence away: a moment of leaving and the next one of joining on the same device.
local function forget_one(marks)
  table.sort(marks, by_offset)
  local left, best = {}, nil
  for place, mark in ipairs(marks) do
    if not mark.joined then
      left[mark.device] = place
    elseif left[mark.device] then
      local length = mark.offset - marks[left[mark.device]].offset
      if not best or length < best.length then best = { from = left[mark.device], to = place, length = length } end
      left[mark.device] = nil
    end
  end
  if not best then return table.remove(marks, 1) end
  table.remove(marks, best.to)
  table.remove(marks, best.from)
end

local function mark(text, moment, joined, connection)
  if math.type(moment) ~= "integer" or moment < 0 then return text end
  local second = moment // 1000
  local base, marks = read(text)
  base = base or second
  marks[#marks + 1] = { joined = joined, offset = second - base, device = code(connection) }
  while #marks > most_marks do forget_one(marks) end
  return write(base, marks)
end

-- The intervals of all devices, in seconds since 1970, merged and inside of the session.
local function intervals(text, starts, ends)
  local base, marks = read(text)
  local first, last = starts // 1000, ends // 1000
  local pieces, open = {}, {}
  table.sort(marks, by_offset)
  local function keep(from, to)
    from, to = math.max(from, first), math.min(to, last)
    if from < to then pieces[#pieces + 1] = { from = from, to = to } end
  end
  for _, one in ipairs(marks) do
    local since = open[one.device]
    if one.joined then
      open[one.device] = since or base + one.offset
    elseif since then
      keep(since, base + one.offset)
      open[one.device] = nil
    end
  end
  for _, since in pairs(open) do keep(since, last) end
  table.sort(pieces, function(one, other) return one.from < other.from end)
  local merged = {}
  for _, piece in ipairs(pieces) do
    local before = merged[#merged]
    if before and piece.from <= before.to then
      before.to = math.max(before.to, piece.to)
    else
      merged[#merged + 1] = piece
    end
  end
  return merged
end

-- Whole minutes and whole percent, rounded down: 79.9 percent are not 80. Nil when the session has no length.
local function presence(text, starts, ends)
  if not starts or not ends or ends // 1000 <= starts // 1000 then return nil end
  local seconds, session = 0, ends // 1000 - starts // 1000
  local pieces = intervals(text, starts, ends)
  for _, piece in ipairs(pieces) do seconds = seconds + piece.to - piece.from end
  return {
    seconds = seconds, minutes = seconds // 60, session_minutes = session // 60,
    share_percent = seconds * 100 // session, intervals = #pieces,
  }
end

return { mark = mark, intervals = intervals, presence = presence, most_marks = most_marks }
