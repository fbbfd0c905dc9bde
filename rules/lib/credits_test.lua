local credits = use("lib/credits")

test("fifty minutes are one credit of CPE, in halves, and less than one is none", function(t)
  for minutes, expected in pairs {
    [0] = 0, [49] = 0, [50] = 1, [74] = 1, [75] = 1.5, [99] = 1.5, [100] = 2, [400] = 8,
  } do
    assert(credits.credits(minutes, "CPE") == expected, minutes)
  end
end)

test("ten hours are one CEU, in tenths", function(t)
  for minutes, expected in pairs {
    [59] = 0, [60] = 0.1, [119] = 0.1, [180] = 0.3, [600] = 1, [659] = 1, [660] = 1.1,
  } do
    assert(credits.credits(minutes, "CEU") == expected, minutes)
  end
end)

test("sums of hundredths stay exact", function(t)
  local sum = 0
  for _ = 1, 30 do sum = sum + credits.hundredths(60, "CEU") end
  assert(sum == 300 and sum / 100 == 3)
end)

test("an unknown scheme and what are no minutes are nil", function(t)
  assert(credits.credits(50, "XYZ") == nil and credits.credits(50, nil) == nil)
  assert(credits.credits(nil, "CPE") == nil and credits.credits("50", "CPE") == nil)
  assert(credits.credits(-1, "CPE") == nil and credits.credits(50.9, "CPE") == 1)
end)
