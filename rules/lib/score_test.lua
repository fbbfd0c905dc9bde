local score = use("lib/score")

local weights = { usage = 50, support = 30, payment = 20 }
local bands = { { name = "risk", from = 0 }, { name = "watch", from = 40 }, { name = "good", from = 70 } }

local function factors(usage, support, payment)
  return {
    { name = "usage", value = usage, text = "u" }, { name = "support", value = support, text = "s" },
    { name = "payment", value = payment, text = "p" },
  }
end

test("a curve is straight between its points and flat outside", function(t)
  local curve = { { 0, 0 }, { 10, 50 }, { 20, 100 } }
  assert(score.rate(-5, curve) == 0 and score.rate(5, curve) == 25 and score.rate(10, curve) == 50)
  assert(score.rate(15, curve) == 75 and score.rate(99, curve) == 100)
  assert(score.rate(nil, curve) == nil and score.rate("5", curve) == nil and score.rate(0 / 0, curve) == nil)
end)

test("what is not known counts neither for nor against, and is told", function(t)
  local value, known = score.weigh(factors(100, 0, 50), weights, "lost")
  assert(value == 60 and known == 1)
  value, known = score.weigh(factors(100, nil, 50), weights, "lost")
  assert(value == 86 and known == 0.7)
  value, known = score.weigh(factors(nil, nil, nil), weights, "lost")
  assert(value == nil and known == 0)
end)

test("values beyond 0 and 100 are cut, and a factor without a weight is a mistake", function(t)
  assert(score.weigh(factors(500, 100, 100), weights, "lost") == 100)
  assert(score.weigh(factors(-500, 0, 0), weights, "lost") == 0)
  assert(not pcall(score.weigh, { { name = "moon", value = 1, text = "" } }, weights, "lost"))
end)

test("a better factor never lowers the score", function(t)
  for support = 0, 100, 20 do
    for payment = 0, 100, 20 do
      local last = 0
      for usage = 0, 100, 5 do
        local value = score.weigh(factors(usage, support, payment), weights, "lost")
        assert(value >= last)
        last = value
      end
    end
  end
end)

test("reasons come by their weight, and only those that matter", function(t)
  local _, _, lost = score.weigh(factors(80, 0, 100), weights, "lost")
  local told = score.top(lost, 3)
  assert(#told == 2 and told[1] == "-30 support: s" and told[2] == "-10 usage: u")
  assert(#score.top(lost, 1) == 1)
  local _, _, gained = score.weigh(factors(80, 0, 100), weights, "gained")
  told = score.top(gained, 3, "+")
  assert(#told == 2 and told[1] == "+40 usage: u" and told[2] == "+20 payment: p")
end)

test("a band is left only when the score is beyond its border by the margin", function(t)
  assert(score.band(39, bands, nil, 5) == "risk" and score.band(40, bands, nil, 5) == "watch")
  assert(score.band(44, bands, "risk", 5) == "risk" and score.band(45, bands, "risk", 5) == "watch")
  assert(score.band(35, bands, "watch", 5) == "watch" and score.band(34, bands, "watch", 5) == "risk")
  assert(score.band(74, bands, "watch", 5) == "watch" and score.band(75, bands, "watch", 5) == "good")
  assert(score.band(100, bands, "risk", 5) == "good" and score.band(0, bands, "good", 5) == "risk")
  assert(score.band(50, bands, "a band of old", 5) == "watch")
end)

test("a higher score never leads to a lower band, whatever the band was before", function(t)
  local place = { risk = 1, watch = 2, good = 3 }
  for _, before in ipairs { "none", "risk", "watch", "good" } do
    local last = 1
    for value = 0, 100 do
      local now = place[score.band(value, bands, before, 5)]
      assert(now >= last, before .. " at " .. value)
      last = now
    end
  end
end)

test("half of the points go in each half-life", function(t)
  assert(score.decay(80, 0, 10) == 80 and score.decay(80, 10, 10) == 40 and score.decay(80, 20, 10) == 20)
  assert(score.decay(80, -5, 10) == 80, "a clock that is ahead adds nothing")
  assert(score.decay(80, nil, 10) == 0, "it never happened")
end)
