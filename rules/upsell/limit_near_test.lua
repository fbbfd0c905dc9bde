local function report(t, used, options)
  local o = options or {}
  t:event("Usage Reported", {
    metric = o.metric or "storage_gb", used = used, limit = o.limit or 50,
    period_end = o.period or "2026-02-01T00:00:00Z",
  })
end

test("at 80 percent the next plan is offered, with the numbers", function(t)
  t:identify { plan = "team" }
  report(t, 39)
  t:expect_verdict("not matched")
  report(t, 40)
  t:expect_sent("crm", "upsell.offer", {
    customer = "42", offer = "limit_near", plan = "business", metric = "storage_gb", used = 40, limit = 50,
    percent = 80,
    reason = "80 % of storage_gb are used",
  })
  t:expect_traits { last_offer = "limit_near", last_offer_at = 1767603600000 }
  t:expect_nothing()
end)

test("a number that goes up and down around the border makes one offer in a period", function(t)
  t:identify { plan = "team" }
  for _, used in ipairs { 40, 38, 41, 39, 44 } do report(t, used, { period = "2026-03-20T00:00:00Z" }) end
  t:expect_sent("crm", "upsell.offer")
  t:advance("31 days")
  report(t, 40, { period = "2026-03-20T00:00:00Z" })
  t:expect_verdict("not matched")
  t:expect_nothing()
end)

test("the full limit is a level of its own, and a new period begins anew", function(t)
  t:identify { plan = "team" }
  report(t, 42, { period = "2026-03-20T00:00:00Z" })
  t:expect_sent("crm", "upsell.offer", { percent = 84 })
  t:advance("31 days")
  report(t, 51, { period = "2026-03-20T00:00:00Z" })
  t:expect_sent("crm", "upsell.offer", { percent = 102 })
  t:advance("31 days")
  report(t, 40, { period = "2026-04-20T00:00:00Z" })
  t:expect_sent("crm", "upsell.offer", { percent = 80 })
  t:expect_nothing()
end)

test("within 30 days there is one offer, whatever the metric", function(t)
  t:identify { plan = "team" }
  report(t, 40)
  t:expect_sent("crm", "upsell.offer")
  t:advance("29 days 23 hours")
  report(t, 5, { metric = "seats", limit = 5 })
  t:expect_verdict("skipped", "the offer 'limit_near' was made 29 days ago; one in 30 days is enough")
  t:advance("1 hour")
  report(t, 5, { metric = "seats", limit = 5 })
  t:expect_sent("crm", "upsell.offer", { metric = "seats", percent = 100 })
  t:expect_nothing()
end)

test("while a payment fails there is none, and the next report after it tries again", function(t)
  t:identify { plan = "team", payment_failing = true }
  report(t, 45)
  t:expect_verdict("skipped", "a payment is failing")
  t:identify { payment_failing = false, open_tickets = 1 }
  report(t, 45)
  t:expect_verdict("skipped", "a ticket is open")
  t:identify { open_tickets = 0, access = "read_only" }
  report(t, 45)
  t:expect_verdict("skipped", "access is not full")
  t:identify { access = "full" }
  report(t, 45)
  t:expect_sent("crm", "upsell.offer")
  t:expect_nothing()
end)

test("nothing is offered above the largest plan or for an unknown one", function(t)
  report(t, 45)
  t:expect_verdict("skipped", "there is no larger plan")
  t:identify { plan = "enterprise" }
  report(t, 45)
  t:expect_verdict("skipped", "there is no larger plan")
  t:expect_nothing()
end)

test("reports without numbers, with nonsense or without a metric do nothing", function(t)
  t:identify { plan = "team" }
  t:event("Usage Reported", { metric = "seats", used = "5", limit = 5 })
  t:expect_verdict("not matched")
  t:event("Usage Reported", { metric = "seats", used = 5, limit = 0 })
  t:expect_verdict("not matched")
  t:event("Usage Reported", { metric = "seats", limit = 5 })
  t:expect_verdict("not matched")
  t:event("Usage Reported", { used = 5, limit = 5 })
  t:expect_verdict("no key")
  t:expect_nothing()
end)

test("who does not want offers gets none", function(t)
  t:identify { plan = "team" }
  t:event("nudged.consent", { topic = "offers", given = false })
  report(t, 45)
  t:expect_verdict("suppressed")
  t:expect_nothing()
end)

test("a period that is none counts as none, and a number beyond all sense is still told", function(t)
  t:identify { plan = "team" }
  t:event("Usage Reported", { metric = "exports", used = 1e300, limit = 50, period_end = { 1 } })
  t:expect_sent("crm", "upsell.offer", { percent = 1000000 })
  t:event("Usage Reported", { metric = "exports", used = 45, limit = 50, period_end = ("x"):rep(9000) })
  t:expect_verdict("skipped", "one in 30 days is enough")
end)
