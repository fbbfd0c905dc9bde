local health = use("lib/health")

local function measures(more)
  local m = {
    uses = 40, usual = 40, features = 6, active = 5, seats = 5, silent_days = 0, tickets = 0, failing = false,
    failures = 0,
  }
  for name, value in pairs(more or {}) do m[name] = value end
  return m
end

test("a customer whom nothing ails has a hundred and no reasons", function(t)
  local value, band, reasons = health.judge(measures(), {})
  assert(value == 100 and band == "good" and #reasons == 0)
end)

test("each factor alone lowers the score and says why", function(t)
  for part, change in pairs {
    ["uses in 30 days"] = { uses = 10 }, ["features"] = { features = 1 }, ["2 of 5 seats"] = { active = 2 },
    ["last sign-in 20 days ago"] = { silent_days = 20 }, ["4 tickets"] = { tickets = 4 },
    ["rated 1 of 5"] = { tickets = 1, worst_rating = 1 }, ["a payment is failing"] = { failing = true },
    ["2 failed payments"] = { failures = 2 },
  } do
    local value, _, reasons = health.judge(measures(change), {})
    assert(value < 100 and #reasons == 1 and reasons[1]:find(part, 1, true), part .. ": " .. tostring(reasons[1]))
  end
end)

test("three reasons are kept, the heaviest first", function(t)
  local _, _, reasons = health.judge(measures { uses = 0, failing = true, silent_days = 40, tickets = 4 }, {})
  assert(#reasons == 3)
  assert(reasons[1] == "-30 usage: 0 uses in 30 days, 40 are usual")
  assert(reasons[2] == "-20 payment: a payment is failing" and reasons[3] == "-15 engagement: last sign-in 40 days ago")
end)

test("what is not known is left out, and with less than half of it nobody is judged", function(t)
  local value = health.judge({ uses = 20, usual = 40, silent_days = 0, features = 6, failures = 0 }, {})
  assert(value == 76)
  local none, why = health.judge({ features = 6, failures = 0 }, {})
  assert(none == nil and why == "too little is known to judge")
end)

test("nonsense is not known", function(t)
  local value = health.judge(measures { seats = "many", usual = 0, worst_rating = "bad" }, {})
  assert(value == 100)
end)

test("a tenth less than usual is still usual", function(t)
  local value = health.judge(measures { uses = 36 }, {})
  assert(value == 100)
  value = health.judge(measures { uses = 20 }, {})
  assert(value == 82, "half of it costs 60 percent of the weight of usage")
end)

test("each curve goes one way, and bands rise by more than the margin", function(t)
  for name, curve in pairs(health.curves) do
    local way = curve[#curve][2] > curve[1][2] and 1 or -1
    for place = 2, #curve do
      assert(curve[place][1] > curve[place - 1][1], name .. " goes on")
      assert((curve[place][2] - curve[place - 1][2]) * way > 0, name .. " goes one way")
    end
    assert(health.weights[name], name .. " has a weight")
  end
  for place = 2, #health.bands do assert(health.bands[place].from - health.bands[place - 1].from > 10) end
end)

test("the band of before counts", function(t)
  local m = measures { failing = true, silent_days = 14, features = 4 }
  local value, band = health.judge(m, {})
  assert(value == 71 and band == "good")
  value, band = health.judge(m, { health_band = "watch" })
  assert(value == 71 and band == "watch")
end)

test("worse measures never raise the score, whatever the others are", function(t)
  local steps = {
    uses = { 60, 36, 30, 20, 10, 0 }, features = { 9, 6, 3, 1, 0 }, active = { 5, 4, 2, 1, 0 },
    silent_days = { 0, 3, 10, 20, 40 }, tickets = { 0, 1, 2, 4, 9 }, failures = { 0, 1, 2, 5 },
  }
  for _, others in ipairs { {}, { uses = 15, failures = 1 }, { silent_days = 25, tickets = 3 } } do
    for name, values in pairs(steps) do
      local last = 101
      for _, one in ipairs(values) do
        local m = measures(others)
        m[name] = one
        local value = health.judge(m, {})
        assert(value <= last, name)
        last = value
      end
    end
  end
end)

test("a small change within a band is not worth a word; a new band always is", function(t)
  assert(not health.matters({ health = 80, health_band = "good" }, 82, "good"))
  assert(health.matters({ health = 80, health_band = "good" }, 83, "good"))
  assert(health.matters({ health = 70, health_band = "good" }, 69, "watch"))
  assert(health.matters({}, 80, "good"))
end)
