-- Scores from 0 to 100 with their reasons, for the health of a customer and for the chance of an upgrade.
-- A factor is { name, value (0 to 100, or nil: not known), text }. What is not known counts neither for nor against:
-- its weight goes to the others. How much of the weight is known is told, so that nobody judges from a fifth of it.

-- A value between the points of a curve { { 0, 0 }, { 5, 60 }, { 20, 100 } }; outside of them that of the nearest
-- point.
local function rate(value, curve)
  if type(value) ~= "number" or value ~= value then return nil end
  local before = curve[1]
  if value <= before[1] then return before[2] end
  for place = 2, #curve do
    local point = curve[place]
    if value <= point[1] then
      return before[2] + (point[2] - before[2]) * (value - before[1]) / (point[1] - before[1])
    end
    before = point
  end
  return before[2]
end

-- What is left of `points` after `age` milliseconds, when half of them go in each `half_life`.
local function decay(points, age, half_life)
  if type(age) ~= "number" then return 0 end
  return points * 0.5 ^ (math.max(0, age) / half_life)
end

-- The weighted mean of the factors, in whole points; nil when nothing is known. Second: the part of the weight that
-- is known, from 0 to 1. Third: the factors with their `points`, by how much they took from the score (`by = "lost"`)
-- or brought to it (`by = "gained"`), the largest first.
local function weigh(factors, weights, by)
  local all, known, sum = 0, 0, 0
  for _, weight in pairs(weights) do all = all + weight end
  for _, factor in ipairs(factors) do
    assert(weights[factor.name], "there is no weight for " .. factor.name)
    if factor.value then
      known = known + weights[factor.name]
      sum = sum + weights[factor.name] * math.max(0, math.min(100, factor.value))
    end
  end
  if known == 0 then return nil, 0, {} end
  local parts = {}
  for _, factor in ipairs(factors) do
    if factor.value then
      local value = math.max(0, math.min(100, factor.value))
      local points = weights[factor.name] * (by == "gained" and value or 100 - value) / known
      if points >= 0.5 then table.insert(parts, { name = factor.name, text = factor.text, points = points }) end
    end
  end
  table.sort(parts, function(a, b) return a.points > b.points end)
  return math.tointeger((sum / known + 0.5) // 1), known / all, parts
end

-- The first `most` reasons as sentences: "-20 usage: 3 uses in 30 days, 12 are usual".
local function top(parts, most, sign)
  local out = {}
  for place = 1, math.min(most, #parts) do
    local part = parts[place]
    out[place] = (sign or "-") .. math.tointeger((part.points + 0.5) // 1) .. " " .. part.name .. ": " .. part.text
  end
  return out
end

-- The band of a score: bands are { { name = "risk", from = 0 }, { name = "watch", from = 40 } }, the lowest first.
-- Who is in a band leaves it only when the score is `margin` points beyond its border, so that nobody flutters.
-- A higher score never leads to a lower band.
local function band(value, bands, before, margin)
  local plain, present = 1, nil
  for place, one in ipairs(bands) do
    if value >= one.from then plain = place end
    if one.name == before then present = place end
  end
  if not present then return bands[plain].name end
  local place = present
  while place < #bands and value >= bands[place + 1].from + margin do place = place + 1 end
  while place > 1 and value < bands[place].from - margin do place = place - 1 end
  return bands[place].name
end

return { rate = rate, decay = decay, weigh = weigh, top = top, band = band }
