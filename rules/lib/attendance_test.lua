local attendance = use("lib/attendance")

local start = 1772388000000 -- 2026-03-01T18:00:00Z
local function at(minutes) return start + minutes * 60000 end

-- { 0, 30, 40, 60 }: joined at 0, left at 30, joined at 40, left at 60, in minutes after the start
local function marks_of(moments, text, device)
  for place, minutes in ipairs(moments) do text = attendance.mark(text, at(minutes), place % 2 == 1, device) end
  return text
end

local function minutes_of(text) return attendance.presence(text, start, at(60)).minutes end

test("a break does not count, and coming back does", function(t)
  local presence = attendance.presence(marks_of { 0, 30, 40, 60 }, start, at(60))
  assert(presence.minutes == 50 and presence.intervals == 2 and presence.session_minutes == 60)
  assert(presence.share_percent == 83 and presence.seconds == 3000)
end)

test("two devices at once count once, and so do intervals that touch", function(t)
  local text = marks_of({ 0, 40 }, nil, "laptop")
  text = marks_of({ 30, 50 }, text, "phone")
  local presence = attendance.presence(text, start, at(60))
  assert(presence.minutes == 50 and presence.intervals == 1)
  assert(attendance.presence(marks_of { 0, 20, 20, 40 }, start, at(60)).intervals == 1)
end)

test("nothing outside of the session counts, so that nobody has more than all of it", function(t)
  assert(minutes_of(marks_of { -20, 90 }) == 60)
  assert(attendance.presence(marks_of { -20, 90 }, start, at(60)).share_percent == 100)
  assert(minutes_of(marks_of { -20, -10 }) == 0 and minutes_of(marks_of { 61, 90 }) == 0)
end)

test("who has not left was there until the end, and who joins twice did not leave between", function(t)
  assert(minutes_of(marks_of { 15 }) == 45)
  local text = attendance.mark(attendance.mark(nil, at(10), true), at(20), true)
  assert(minutes_of(attendance.mark(text, at(50), false)) == 40)
end)

test("leaving without joining counts for nothing, and moments may come in any order", function(t)
  assert(minutes_of(attendance.mark(nil, at(50), false)) == 0)
  local text = attendance.mark(nil, at(50), false)
  text = attendance.mark(text, at(10), true)
  assert(minutes_of(text) == 40)
end)

test("percent are rounded down: a second less than eighty percent is not eighty", function(t)
  local text = attendance.mark(nil, start, true)
  local almost = attendance.mark(text, at(48) - 1000, false)
  assert(attendance.presence(almost, start, at(60)).share_percent == 79)
  assert(attendance.presence(attendance.mark(text, at(48), false), start, at(60)).share_percent == 80)
end)

test("without a session, or without a moment, there is nothing to tell", function(t)
  assert(attendance.presence(marks_of { 0, 30 }, nil, at(60)) == nil)
  assert(attendance.presence(marks_of { 0, 30 }, start, start) == nil)
  assert(attendance.presence(nil, start, at(60)).minutes == 0)
  assert(attendance.mark("x", nil, true) == "x" and attendance.mark(nil, 1.5, true) == nil)
  assert(attendance.presence("not a text of ours", start, at(60)).minutes == 0)
end)

test("however often someone comes and goes, the text stays short and the shortest absences are forgotten", function(t)
  local text
  for second = 0, 3570, 30 do
    text = attendance.mark(text, start + second * 1000, true, "phone")
    text = attendance.mark(text, start + (second + 20) * 1000, false, "phone")
  end
  assert(#text <= 64 * 9 + 11, #text)
  local presence = attendance.presence(text, start, at(60))
  assert(presence.seconds >= 2400 and presence.seconds <= 3600, presence.seconds)
  local long = marks_of({ 70, 100 }, text, "phone") -- the ten minutes before are the longest absence, and stay one
  assert(attendance.presence(long, at(60), at(120)).minutes == 30)
end)

test("the shortest absence is forgotten first, wherever it is", function(t)
  local text -- 33 visits; after each of them an absence that is a second shorter than the one before, down to one
  for visit = 1, 33 do
    local begins = start + (visit - 1) * 60000
    text = attendance.mark(text, begins, true)
    text = attendance.mark(text, begins + (26 + visit) * 1000, false)
  end
  -- 34 - visit seconds away after each; that of two seconds, the last that ended, does not count any more
  local away = 0
  for visit = 1, 33 do away = away + 34 - visit end
  assert(attendance.presence(text, start, at(33)).seconds == 33 * 60 - away + 2)
end)

test("what it says is what counting second by second says", function(t)
  local seed = 42
  local function draw(most) seed = (seed * 1103515245 + 12345) % 2147483648 return seed // 65536 % most end
  for _ = 1, 40 do
    local text, there = nil, {}
    for _, device in ipairs { "a", "b", "c" } do
      local second = draw(300) - 100
      for _ = 1, draw(6) do
        local from, to = second, second + draw(200)
        text = attendance.mark(text, start + from * 1000, true, device)
        text = attendance.mark(text, start + to * 1000, false, device)
        for one = math.max(from, 0), math.min(to, 600) - 1 do there[one] = true end
        second = to + 1 + draw(60)
      end
    end
    local count = 0
    for _ in pairs(there) do count = count + 1 end
    assert(attendance.presence(text, start, start + 600000).seconds == count)
  end
end)
