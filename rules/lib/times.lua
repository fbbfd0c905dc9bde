-- Moments as events carry them, and as whole milliseconds since 1970, so that a rule can reckon with them.

-- Days from 1970-01-01 to a day of the Gregorian calendar. Years begin in March here, so that the leap day is the last.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local century = year // 400
  local of_century = year - century * 400
  local of_year = (153 * (month - 3) + 2) // 5 + day - 1
  return century * 146097 + of_century * 365 + of_century // 4 - of_century // 100 + of_year - 719468
end

local function date(count)
  count = count + 719468
  local century = count // 146097
  local rest = count - century * 146097
  local year = (rest - rest // 1460 + rest // 36524 - rest // 146096) // 365
  local of_year = rest - (365 * year + year // 4 - year // 100)
  local month = (5 * of_year + 2) // 153
  local day = of_year - (153 * month + 2) // 5 + 1
  year = year + century * 400
  if month >= 10 then return year + 1, month - 9, day end
  return year, month + 3, day
end

-- "2026-03-01T18:00:00Z", "2026-03-01T19:00+01:00" or milliseconds; nil for what is no moment.
local function milliseconds(value)
  if type(value) == "number" then return math.tointeger(value) end
  if type(value) ~= "string" then return nil end
  local year, month, day, hour, minute, rest = value:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d)(.*)$")
  if not year then return nil end
  year, month, day = math.tointeger(tonumber(year)), math.tointeger(tonumber(month)), math.tointeger(tonumber(day))
  hour, minute = math.tointeger(tonumber(hour)), math.tointeger(tonumber(minute))
  local second, fraction, zone = rest:match("^:(%d%d)%.(%d+)(.*)$")
  if not second then second, zone = rest:match("^:(%d%d)(.*)$") end
  zone = zone or rest
  second = math.tointeger(tonumber(second or 0))
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign and zone:upper() ~= "Z" then return nil end
  local real_year, real_month, real_day = date(days(year, month, day))
  if real_year ~= year or real_month ~= month or real_day ~= day then return nil end -- the 30th of February
  if hour > 23 or minute > 59 or second > 60 then return nil end
  local seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
  if sign then
    local ahead = math.tointeger(tonumber(hours)) * 3600 + math.tointeger(tonumber(minutes)) * 60
    seconds = sign == "+" and seconds - ahead or seconds + ahead
  end
  return seconds * 1000 + math.tointeger(tonumber(((fraction or "") .. "000"):sub(1, 3)))
end

-- Milliseconds as "2026-03-01T18:00:00Z"; parts of a second are left out.
local function text(moment)
  if not moment then return nil end
  local seconds = moment // 1000
  local year, month, day = date(seconds // 86400)
  local of_day = seconds % 86400
  return ("%04d-%02d-%02dT%02d:%02d:%02dZ"):format(
    year, month, day, of_day // 3600, of_day % 3600 // 60, of_day % 60)
end

-- A duration for wait and within, from milliseconds, rounded up to whole minutes; nil when nothing is left.
local function duration(length)
  if length <= 0 then return nil end
  return ("%d minutes"):format((length + 59999) // 60000)
end

local function year(moment) return (date(moment // 86400000)) end

return { milliseconds = milliseconds, text = text, duration = duration, year = year, day = 86400000, hour = 3600000 }
