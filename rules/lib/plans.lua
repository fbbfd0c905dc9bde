-- What the plans in data/plans.csv and the features in data/features.csv mean. Edit the tables, not the rules.
-- An empty cell in a column of limits says that this plan has no such limit.
local rows     = use("data/plans")
local features = use("data/features")

-- From which share of a limit on somebody is told, in percent. Each level is told once in a period.
local levels = { 100, 80 }

local next_plan = {}
for plan, row in pairs(rows) do next_plan[plan] = row.next end

-- The limit of a plan, such as limit("team", "seats"); nil when there is none, or no such plan.
local function limit(plan, metric)
  local row = type(plan) == "string" and rows[plan] or nil
  return row and row[metric] or nil
end

-- Which level the use has come to: 100, 80, or nil below all of them and where the numbers are nonsense.
local function level(used, most)
  if type(used) ~= "number" or type(most) ~= "number" or most <= 0 or used < 0 then return nil end
  for _, percent in ipairs(levels) do
    if used * 100 >= most * percent then return percent end
  end
  return nil
end

-- The share of a limit in whole percent, for messages; whatever is beyond a million of them is nonsense.
local function percent(used, most) return math.tointeger(math.min(used * 100 // most, 1000000)) end

-- The period of a report, as state can keep it: a text or a number; nil when it names none.
local function period(value)
  local is_plain = type(value) == "number" or type(value) == "string" and #value <= 100
  return is_plain and value or nil
end

local function rank(plan)
  local row = type(plan) == "string" and rows[plan] or nil
  return row and row.rank or 0
end

-- The smallest plan that has all these features and is larger than the plan at hand; nil when no plan has them.
local function plan_with(wanted, plan)
  local found = nil
  for _, feature in ipairs(wanted) do
    local row = features[feature]
    if row and rank(row.plan) > rank(found) then found = row.plan end
  end
  return rank(found) > rank(plan) and found or nil
end

-- The features that a customer of `from` has and one of `to` has not, in the order of the alphabet.
local function lost(from, to)
  local out = {}
  for feature, row in pairs(features) do
    local needed = rank(row.plan)
    if needed <= rank(from) and needed > rank(to) then table.insert(out, feature) end
  end
  table.sort(out)
  return out
end

-- What a year costs less when it is paid at once, in minor units; nil when it saves nothing.
local function yearly_saving(plan)
  local month, year = limit(plan, "price_month"), limit(plan, "price_year")
  if not month or not year or year >= month * 12 or year <= 0 then return nil end
  return month * 12 - year
end

return {
  rows = rows, next_plan = next_plan, limit = limit, level = level, percent = percent, period = period, rank = rank,
  plan_with = plan_with, lost = lost, yearly_saving = yearly_saving,
}
