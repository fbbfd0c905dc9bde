local function report(t, used, period, metric)
  t:event("Usage Reported", { metric = metric or "api_calls", used = used, limit = 1000, period_end = period })
end

test("a limit that is reached is told, once in a period", function(t)
  report(t, 999, "2026-02-01T00:00:00Z")
  t:expect_verdict("not matched")
  report(t, 1000, "2026-02-01T00:00:00Z")
  t:expect_sent("crm", "upsell.limit_reached", {
    customer = "42", metric = "api_calls", used = 1000, limit = 1000, period_end = "2026-02-01T00:00:00Z",
  })
  report(t, 1200, "2026-02-01T00:00:00Z")
  t:expect_verdict("not matched")
  report(t, 1000, "2026-02-01T00:00:00Z", "exports")
  t:expect_sent("crm", "upsell.limit_reached", { metric = "exports" })
  t:advance("28 days")
  report(t, 1000, "2026-03-01T00:00:00Z")
  t:expect_sent("crm", "upsell.limit_reached", { period_end = "2026-03-01T00:00:00Z" })
  t:expect_nothing()
end)

test("without a period it is told once in 30 days", function(t)
  report(t, 1000)
  t:expect_sent("crm", "upsell.limit_reached")
  t:advance("29 days 23 hours 59 minutes")
  report(t, 1000)
  t:expect_nothing()
  t:advance("1 minute")
  report(t, 1000)
  t:expect_sent("crm", "upsell.limit_reached")
end)

test("neither a failing payment nor withdrawn consent holds a fact back; leaving does", function(t)
  t:identify { payment_failing = true, last_offer = "annual", last_offer_at = 1767600000000 }
  t:event("nudged.consent", { topic = "offers", given = false })
  report(t, 1000)
  t:expect_sent("crm", "upsell.limit_reached")
  t:identify { churned = true }
  report(t, 1000, "2026-02-01T00:00:00Z")
  t:expect_verdict("skipped", "the customer has left")
  t:expect_nothing()
end)

test("nonsense is no limit", function(t)
  t:event("Usage Reported", { metric = "seats", used = "many", limit = 5 })
  t:expect_verdict("not matched")
  t:event("Usage Reported", { metric = "seats", used = 5, limit = 0 })
  t:expect_verdict("not matched")
  t:event("Usage Reported", { metric = "seats", used = 5 })
  t:expect_verdict("not matched")
  t:event("Usage Reported", { used = 5, limit = 5 })
  t:expect_verdict("no key")
  t:expect_nothing()
end)

test("a period that is none counts as none", function(t)
  for _, period in ipairs { { 1 }, ("x"):rep(9000), true } do
    t:event("Usage Reported", { metric = "exports", used = 50, limit = 50, period_end = period })
  end
  t:expect_sent("crm", "upsell.limit_reached", { metric = "exports" })
  t:expect_nothing()
end)
