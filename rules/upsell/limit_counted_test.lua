local plans = use("lib/plans")
local limit = plans.limit("free", "exports")

local function export(t, times)
  for _ = 1, times do t:event("Feature Used", { feature = "export" }) end
end

test("at 80 percent of the exports of a plan the next one is offered", function(t)
  t:identify { plan = "free" }
  export(t, 3)
  t:expect_nothing()
  export(t, 1)
  t:expect_sent("crm", "upsell.offer", {
    customer = "42", offer = "limit_counted", plan = "team", metric = "exports", used = 4, limit = limit, percent = 80,
    reason = "4 of 5 exports in 30 days",
  })
  t:expect_traits { last_offer = "limit_counted" }
  t:expect_nothing()
end)

test("the full limit within 30 days is kept back by the offer that was made, and the reason says so", function(t)
  t:identify { plan = "free" }
  export(t, 4)
  t:expect_sent("crm", "upsell.offer")
  t:advance("3 days")
  export(t, 1)
  t:expect_verdict("skipped", "the offer 'limit_counted' was made 3 days ago")
  t:expect_nothing()
end)

test("only what was done in the last 30 days counts, and after them it is offered again", function(t)
  t:identify { plan = "free" }
  export(t, 3)
  t:advance("31 days")
  export(t, 3)
  t:expect_nothing()
  export(t, 1)
  t:expect_sent("crm", "upsell.offer", { used = 4 })
  t:advance("31 days")
  export(t, 4)
  t:expect_sent("crm", "upsell.offer", { used = 4 })
  t:expect_nothing()
end)

test("other features, unknown plans and plans without the limit count for nothing", function(t)
  t:identify { plan = "free" }
  for _ = 1, 9 do t:event("Feature Used", { feature = "search" }) end
  t:event("Feature Used", {})
  t:expect_verdict("not matched")
  t:identify { plan = "enterprise" }
  export(t, 9)
  t:expect_verdict("not matched")
  t:identify { plan = "no plan of ours" }
  export(t, 1)
  t:expect_verdict("not matched")
  t:expect_nothing()
end)

test("while a ticket is open there is no offer", function(t)
  t:identify { plan = "free", open_tickets = 1 }
  export(t, 4)
  t:expect_verdict("skipped", "a ticket is open")
  t:identify { open_tickets = 0 }
  export(t, 1)
  t:expect_sent("crm", "upsell.offer", { percent = 100 })
end)
