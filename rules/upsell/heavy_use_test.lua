local plans = use("lib/plans")
local lot = plans.limit("free", "heavy_uses")

local function use_it(t, times, features)
  local names = { "search", "board", "report", "chart" }
  for number = 1, times do t:event("Feature Used", { feature = names[number % (features or 4) + 1] }) end
end

test("as many uses in a month as the table calls a lot, over more than a week, bring an offer", function(t)
  t:identify { plan = "free" }
  use_it(t, lot // 2)
  t:advance("10 days")
  use_it(t, lot - lot // 2 - 1)
  t:expect_nothing()
  use_it(t, 1)
  t:expect_sent("crm", "upsell.offer", {
    customer = "42", offer = "heavy_use", plan = "team", used = lot, reason = lot .. " uses of 4 features in 30 days",
  })
  t:expect_traits { last_offer = "heavy_use" }
  t:expect_nothing()
end)

test("one wild day is no habit", function(t)
  t:identify { plan = "free" }
  use_it(t, lot * 3)
  t:expect_verdict("not matched")
  t:expect_nothing()
end)

test("a machine that calls one feature a hundred times is no heavy user", function(t)
  t:identify { plan = "free" }
  use_it(t, lot, 1)
  t:advance("10 days")
  use_it(t, lot, 1)
  t:expect_verdict("skipped", "features used: 1")
  t:expect_nothing()
end)

test("it is offered once in 60 days", function(t)
  t:identify { plan = "free" }
  for _ = 1, 3 do
    use_it(t, lot // 2)
    t:advance("9 days")
  end
  t:expect_sent("crm", "upsell.offer")
  for _ = 1, 4 do
    use_it(t, lot // 2)
    t:advance("9 days")
  end
  t:expect_nothing()
  for _ = 1, 3 do
    use_it(t, lot // 2)
    t:advance("9 days")
  end
  t:expect_sent("crm", "upsell.offer")
  t:expect_nothing()
end)

test("unknown plans and the largest one are left alone, and so is who waits for help", function(t)
  use_it(t, lot)
  t:expect_verdict("not matched")
  t:identify { plan = "enterprise" }
  use_it(t, 1)
  t:expect_verdict("not matched")
  t:identify { plan = "free", open_tickets = 2 }
  t:advance("10 days")
  use_it(t, 10)
  t:expect_verdict("skipped", "a ticket is open")
  t:expect_nothing()
end)
