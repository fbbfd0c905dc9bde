-- What the health of a customer is judged by: change the weights, curves and bands here, and nowhere else. Weights
-- are shares of one whole, whatever they add up to. Begin with these, and correct them by what churn/score_check
-- tells after some months: a factor that does not tell leavers from stayers deserves less.
local score = use("lib/score")

local weights = { usage = 30, breadth = 10, seats = 15, engagement = 15, support = 10, payment = 20 }
local bands   = { { name = "risk", from = 0 }, { name = "watch", from = 45 }, { name = "good", from = 70 } }
local margin  = 5          -- so many points beyond a border before a band is left
local smallest_step = 3    -- a smaller change within a band is not worth a new trait
local known_least = 0.5    -- below this part of the weights nobody is judged

local curves = {
  usage      = { { 0, 0 }, { 0.5, 40 }, { 0.9, 100 } },              -- of what is usual for this customer
  breadth    = { { 0, 0 }, { 1, 30 }, { 3, 70 }, { 6, 100 } },       -- different features in 30 days
  seats      = { { 0, 0 }, { 0.3, 40 }, { 0.7, 90 }, { 1, 100 } },   -- of the seats that are paid for
  engagement = { { 0, 100 }, { 3, 95 }, { 14, 50 }, { 30, 0 } },     -- days since the last sign-in
  support    = { { 0, 100 }, { 1, 90 }, { 3, 50 }, { 6, 0 } },       -- tickets in 30 days
  payment    = { { 0, 100 }, { 1, 70 }, { 3, 20 } },                 -- failed payments in 90 days
}
local poor_rating, poor_rating_costs = 2, 40

local function shown(number) return math.tointeger((number + 0.5) // 1) end

-- `m` has what is known: uses and usual (in 30 days), features, active and seats, silent_days, tickets, worst_rating,
-- failing (a payment is failing now), failures (in 90 days). What is nil is not known.
-- Answers health, band, reasons; or nil and a sentence why not.
local function judge(m, traits)
  local usage = m.uses and m.usual and m.usual > 0 and m.uses / m.usual or nil
  local seats = m.active and type(m.seats) == "number" and m.seats > 0 and m.active / m.seats or nil
  local support = score.rate(m.tickets, curves.support)
  local poor = type(m.worst_rating) == "number" and m.worst_rating <= poor_rating
  if support and poor then support = math.max(0, support - poor_rating_costs) end
  local value, known, parts = score.weigh({
    { name = "usage", value = score.rate(usage, curves.usage),
      text = usage and m.uses .. " uses in 30 days, " .. shown(m.usual) .. " are usual" },
    { name = "breadth", value = score.rate(m.features, curves.breadth),
      text = (m.features or 0) .. " features in 30 days" },
    { name = "seats", value = score.rate(seats, curves.seats),
      text = seats and m.active .. " of " .. shown(m.seats) .. " seats are in use" },
    { name = "engagement", value = score.rate(m.silent_days, curves.engagement),
      text = m.silent_days and "last sign-in " .. shown(m.silent_days) .. " days ago" },
    { name = "support", value = support,
      text = (m.tickets or 0) .. " tickets in 30 days"
        .. (poor and ", one rated " .. shown(m.worst_rating) .. " of 5" or "") },
    { name = "payment", value = m.failing and 0 or score.rate(m.failures, curves.payment),
      text = m.failing and "a payment is failing" or (m.failures or 0) .. " failed payments in 90 days" },
  }, weights, "lost")
  if known < known_least then return nil, "too little is known to judge" end
  return value, score.band(value, bands, traits.health_band, margin), score.top(parts, 3)
end

-- Whether a new score is worth telling.
local function matters(traits, value, band)
  if band ~= traits.health_band or type(traits.health) ~= "number" then return true end
  return math.abs(value - traits.health) >= smallest_step
end

return { judge = judge, matters = matters, bands = bands, weights = weights, curves = curves }
