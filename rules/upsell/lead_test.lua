local function become(t, band, more)
  local traits = {
    plan = "team", owner = "bob", opportunity = 72, opportunity_band = band,
    opportunity_reasons = { "+30 limit: full" },
  }
  for name, value in pairs(more or {}) do traits[name] = value end
  t:identify(traits)
end

test("the owner is told on the next weekday at nine, once", function(t)
  t:at("2026-01-09T12:00:00Z")
  become(t, "high")
  t:advance("2 days 20 hours")
  t:expect_nothing()
  t:advance("1 hour")
  t:expect_sent("crm", "upsell.lead", {
    customer = "42", owner = "bob", opportunity = 72, reasons = { "+30 limit: full" }, plan = "business",
  })
  t:expect_traits { last_offer = "lead" }
  t:advance("14 days")
  t:expect_nothing()
end)

test("nine is nine on the customer's own clock", function(t)
  become(t, "high", { timezone = "America/New_York" })
  t:at("2026-01-06 08:59", "America/New_York")
  t:expect_nothing()
  t:at("2026-01-06 09:00", "America/New_York")
  t:expect_sent("crm", "upsell.lead")
end)

test("what stands against it is looked at again every day", function(t)
  become(t, "high", { open_tickets = 1 })
  t:advance("2 days")
  t:expect_verdict("skipped", "a ticket is open")
  t:identify { open_tickets = 0, last_offer = "annual", last_offer_at = 1767603600000 - 25 * 86400 * 1000 }
  t:advance("2 days")
  t:expect_nothing()
  t:advance("1 day 1 hour")
  t:expect_nothing()
  t:advance("3 days")
  t:expect_sent("crm", "upsell.lead")
  t:expect_nothing()
end)

test("after 60 days it is told again, when it still holds", function(t)
  become(t, "high")
  t:advance("1 day")
  t:expect_sent("crm", "upsell.lead")
  t:advance("59 days")
  t:expect_nothing()
  t:advance("3 days")
  t:expect_sent("crm", "upsell.lead")
end)

test("lower bands and customers without an owner are left to the other rules", function(t)
  become(t, "some")
  t:identify({ plan = "team", opportunity_band = "high" }, { user = "ada" })
  t:advance("7 days")
  t:expect_nothing()
end)
