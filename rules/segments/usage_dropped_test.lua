local function week(t, uses)
  for day = 1, 7 do
    for _ = 1, uses // 7 do t:event("Feature Used", { feature = "board" }) end
    t:advance("1 day")
  end
end

test("who uses a third of what is usual is in, at the moment at which the week has become so thin", function(t)
  t:identify { plan = "team" }
  for _ = 1, 9 do week(t, 21) end
  t:expect_not_in("usage_dropped")
  t:advance("2 days")
  t:expect_not_in("usage_dropped")
  t:advance("3 days")
  t:expect_in("usage_dropped")
end)

test("who is in needs seventy percent to be out again", function(t)
  t:identify { plan = "team" }
  for _ = 1, 9 do week(t, 21) end
  week(t, 7)
  t:expect_in("usage_dropped")
  for _ = 1, 3 do t:event("Feature Used", { feature = "board" }) end
  t:expect_in("usage_dropped")
  for _ = 1, 9 do t:event("Feature Used", { feature = "board" }) end
  t:expect_not_in("usage_dropped")
end)

test("two weeks are enough to have a habit, and one is not", function(t)
  t:identify { plan = "team" }
  week(t, 21)
  t:advance("6 days")
  t:expect_not_in("usage_dropped")
  t:identify({ plan = "team" }, { user = "ada" })
  for _ = 1, 14 do
    t:event("Feature Used", { feature = "board" }, { user = "ada" })
    t:advance("1 day")
  end
  t:advance("7 days 1 hour")
  t:expect_in("usage_dropped", { user = "ada" })
end)

test("little use is no habit, and who has left or has no plan is nobody's drop", function(t)
  t:identify { plan = "team" }
  for _ = 1, 9 do t:event("Feature Used", { feature = "board" }); t:advance("1 week") end
  t:advance("8 days")
  t:expect_not_in("usage_dropped")
  for _ = 1, 9 do week(t, 21) end
  t:identify { churned = true }
  t:advance("8 days")
  t:expect_not_in("usage_dropped")
end)
