-- When a declined card is worth another try: on days when people are paid, at hours when they are awake.
--
-- A day is that of the customer's own clock. Rules cannot ask for the time in a zone, so data/zones.csv has the
-- standard time of the main ones. In summer everything is one hour later on the wall: the hours of the settings, 9 to
-- 18, stay between 8:00 and 20:00 either way.
local settings = use("lib/dunning")
local zones = use("data/zones")

local MINUTE, HOUR, DAY = 60 * 1000, 60 * 60 * 1000, 24 * 60 * 60 * 1000

local zone_of_country = {}
for zone, row in pairs(zones) do
  if row.main_of then zone_of_country[row.main_of] = zone end
end

-- Minutes that a customer's clock is ahead of UTC: by their own zone, else by the country of the card, else none.
local function offset_minutes(zone, country)
  local row = zones[zone or ""] or zones[zone_of_country[country or ""] or "UTC"]
  return row.standard_minutes
end

-- Year, month and day of a day that is counted from 1970-01-01, in the calendar of all years since 1583.
local function date(day)
  local shifted = day + 719468
  local era = shifted // 146097
  local of_era = shifted - era * 146097
  local year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
  local of_year = of_era - (365 * year + year // 4 - year // 100)
  local march = (5 * of_year + 2) // 153
  local month = march < 10 and march + 3 or march - 9
  return year + era * 400 + (month <= 2 and 1 or 0), month, of_year - (153 * march + 2) // 5 + 1
end

-- 0 is Sunday.
local function weekday(day) return (day + 4) % 7 end

local function is_last_business_day(day)
  if weekday(day) == 0 or weekday(day) == 6 then return false end
  -- The next business day is in another month.
  local ahead = weekday(day) == 5 and 3 or 1
  local _, month = date(day)
  local _, next_month = date(day + ahead)
  return month ~= next_month
end

local function is_payday(day)
  local paydays = settings.paydays
  local _, _, of_month = date(day)
  for _, wanted in ipairs(paydays.days_of_month) do
    if of_month == wanted then return true end
  end
  return paydays.fridays and weekday(day) == 5 or paydays.last_business_day and is_last_business_day(day)
end

local function always() return true end

-- The first moment from `earliest` on that is `hour` o'clock on a day that `suits`.
local function at_hour(earliest, hour, offset, suits)
  local day = (earliest + offset * MINUTE) // DAY
  for ahead = 0, 62 do
    local moment = (day + ahead) * DAY + hour * HOUR - offset * MINUTE
    if moment >= earliest and suits(day + ahead) then return moment end
  end
end

-- When to try next, in milliseconds; nil: this class is not tried again, or its calendar has come to its end.
-- `past` says what has been: now, first_at (the first failure), last_at (the last try), tries (our own so far),
-- technical (failures of that class in a row), not_before (what the network says), offset (minutes), hour (at which
-- this customer's card has worked before) and minute (so that not all are tried on the stroke).
local function next_try(class, past)
  local earliest = math.max(past.now, past.not_before or 0)
  if class == "technical" then
    local pause = settings.technical_hours[past.technical]
    if pause then return math.max(earliest, past.last_at + pause * HOUR) end
    class = "vague"
  end
  local hour = settings.hours[past.tries % #settings.hours + 1]
  earliest = math.max(earliest, past.last_at + settings.hours_between_tries * HOUR)
  local moment
  if class == "funds" then
    moment = at_hour(earliest, past.hour or hour, past.offset, is_payday)
  elseif class == "vague" then
    for _, days in ipairs(settings.vague_days) do
      local planned = past.first_at + days * DAY
      -- A day that the last try has used up is passed over.
      if planned >= past.last_at + settings.hours_between_tries * HOUR - HOUR then
        moment = at_hour(math.max(earliest, planned), hour, past.offset, always)
        break
      end
    end
  end
  return moment and moment + (past.minute or 0) * MINUTE
end

-- The hour on that customer's clock, in standard time, kept between 9 and 18.
local function hour_of(moment, offset)
  return math.max(9, math.min(18, (moment + offset * MINUTE) % DAY // HOUR))
end

return {
  next_try = next_try, offset_minutes = offset_minutes, is_payday = is_payday, date = date, weekday = weekday,
  hour_of = hour_of,
}
