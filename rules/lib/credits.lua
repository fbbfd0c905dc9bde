-- Credits for minutes of learning, by the table data/credits.csv: how many minutes one credit takes, in which steps
-- credits are given, and the least that is given at all. They are always rounded down: 74 minutes of CPE in steps
-- of a half are 1 credit, not 1.5. Sums are kept in hundredths, because 0.1 + 0.2 is not 0.3 on a computer.
local schemes = use("data/credits")

local function hundredths_of(number) return math.tointeger(math.floor(number * 100 + 0.5)) end

-- Hundredths of a credit; nil when the scheme is unknown or the minutes are none.
local function hundredths(minutes, name)
  local scheme = name and schemes[name]
  if not scheme or type(minutes) ~= "number" or minutes ~= minutes or minutes < 0 or minutes > 1e9 then return nil end
  local step = hundredths_of(scheme.step)
  local given = math.tointeger(math.floor(minutes)) * 100 // (scheme.minutes * step) * step
  return given >= hundredths_of(scheme.least) and given or 0
end

local function credits(minutes, name)
  local given = hundredths(minutes, name)
  return given and given / 100
end

return { hundredths = hundredths, credits = credits }
