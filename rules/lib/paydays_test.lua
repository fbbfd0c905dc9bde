local paydays = use("lib/paydays")

local HOUR, DAY = 3600000, 86400000
local now = 1767603600000   -- Monday, 2026-01-05, 09:00 in UTC

local function past(changes)
  local one = { now = now, first_at = now, last_at = now, tries = 0, technical = 0, offset = 0 }
  for name, value in pairs(changes or {}) do one[name] = value end
  return one
end

test("days of the calendar, over leap years and the turn of the year", function(t)
  for day, expected in pairs {
    [0] = "1970-1-1", [20458] = "2026-1-5", [19782] = "2024-2-29", [19783] = "2024-3-1", [20453] = "2025-12-31",
    [20454] = "2026-1-1", [47540] = "2100-2-28", [47541] = "2100-3-1",
  } do
    local year, month, of_month = paydays.date(day)
    assert(year .. "-" .. month .. "-" .. of_month == expected, expected)
  end
  assert(paydays.weekday(20458) == 1 and paydays.weekday(0) == 4)
end)

test("paydays are the first, the fifteenth, Fridays and the last business day", function(t)
  local found = {}
  for day = 20454, 20454 + 30 do
    if paydays.is_payday(day) then
      local _, _, of_month = paydays.date(day)
      table.insert(found, of_month)
    end
  end
  assert(table.concat(found, " ") == "1 2 9 15 16 23 30", table.concat(found, " "))
  -- May 2026 ends on a Sunday: Friday the 29th it is. March ends on a Tuesday.
  assert(paydays.is_payday(20454 + 31 + 28 + 31 + 30 + 28))
  assert(paydays.is_payday(20454 + 31 + 28 + 30))
end)

test("without money it is the next payday that is a day away, at an hour of the customer's own clock", function(t)
  assert(paydays.next_try("funds", past()) == now + 4 * DAY + HOUR)
  -- In New York it is five hours earlier.
  assert(paydays.next_try("funds", past { offset = -300 }) == now + 4 * DAY + 6 * HOUR)
  assert(paydays.next_try("funds", past { hour = 14 }) == now + 4 * DAY + 5 * HOUR)
  -- On Thursday at noon the Friday morning is too near: Thursday the fifteenth.
  local thursday = now + 3 * DAY + 3 * HOUR
  assert(paydays.next_try("funds", past { now = thursday, last_at = thursday }) == now + 10 * DAY + HOUR)
end)

test("a vague decline has its days, at another hour each time, until they are used up", function(t)
  local last, hours = now, {}
  for tries = 0, 3 do
    local at = paydays.next_try("vague", past { now = last, last_at = last, tries = tries })
    assert(at >= last + 24 * HOUR)
    assert((at - now) // DAY == ({ 1, 3, 7, 10 })[tries + 1] , (at - now) / DAY)
    table.insert(hours, at % DAY // HOUR)
    last = at
  end
  assert(table.concat(hours, " ") == "10 15 12 18", table.concat(hours, " "))
  assert(paydays.next_try("vague", past { now = last, last_at = last, tries = 4 }) == nil)
end)

test("a technical error waits 1, 4 and 24 hours, whatever the hour, and is vague from then on", function(t)
  for place, pause in ipairs { 1, 4, 24 } do
    assert(paydays.next_try("technical", past { technical = place }) == now + pause * HOUR)
  end
  assert(paydays.next_try("technical", past { technical = 4 }) == paydays.next_try("vague", past()))
end)

test("what the network forbids is waited for", function(t)
  local forbidden = now + 6 * DAY
  for _, class in ipairs { "funds", "vague", "technical" } do
    assert(paydays.next_try(class, past { not_before = forbidden, technical = 1 }) >= forbidden, class)
  end
end)

test("every zone of the table gets hours between 8 and 20, in summer and winter", function(t)
  for _, zone in ipairs { "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Pacific/Honolulu", "UTC" } do
    local offset = paydays.offset_minutes(zone)
    for tries = 0, 9 do
      for _, class in ipairs { "funds", "vague" } do
        local at = paydays.next_try(class, past { offset = offset, tries = tries, minute = 59 })
        local minute = (at + offset * 60000) % DAY // 60000
        assert(minute >= 8 * 60 and minute + 60 < 20 * 60, zone)
      end
    end
  end
end)

test("a clock is that of the zone, else that of the card's country, else UTC", function(t)
  assert(paydays.offset_minutes("America/New_York", "DE") == -300)
  assert(paydays.offset_minutes(nil, "DE") == 60)
  assert(paydays.offset_minutes("Mars/Olympus", "JP") == 540)
  assert(paydays.offset_minutes(nil, nil) == 0 and paydays.offset_minutes("", "ZZ") == 0)
end)

test("the hour that has worked is kept within the day", function(t)
  assert(paydays.hour_of(now, 0) == 9 and paydays.hour_of(now + 3 * HOUR, 0) == 12)
  assert(paydays.hour_of(now, 12 * 60) == 18 and paydays.hour_of(now, -5 * 60) == 9)
end)

test("nobody is tried for what forbids it", function(t)
  for _, class in ipairs { "never", "new_data", "present", "person" } do
    assert(paydays.next_try(class, past()) == nil, class)
  end
end)
