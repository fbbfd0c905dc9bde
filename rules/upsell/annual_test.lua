local function pay(t, months, reason, amount)
  for number = 1, months do
    t:event("invoice.paid", {
      id = "in_" .. number, billing_reason = reason or "subscription_cycle", amount_paid = amount or 4900,
    })
    t:advance("30 days")
  end
end

test("with the fifth renewal the year is offered, with what it saves", function(t)
  t:identify { plan = "team", billing_interval = "month" }
  pay(t, 1, "subscription_create")
  pay(t, 4)
  t:expect_nothing()
  pay(t, 1)
  t:expect_sent("crm", "upsell.offer", {
    customer = "42", offer = "annual", plan = "team", saving = 9800, currency = "eur",
  })
  t:expect_traits { last_offer = "annual" }
  t:expect_nothing()
end)

test("it is offered again after half a year, not with every renewal", function(t)
  t:identify { plan = "team", billing_interval = "month" }
  pay(t, 5)
  t:expect_sent("crm", "upsell.offer")
  pay(t, 5)
  t:expect_nothing()
  pay(t, 1)
  t:expect_sent("crm", "upsell.offer")
  t:expect_nothing()
end)

test("who pays by the year already, or nothing, is not asked", function(t)
  t:identify { plan = "team", billing_interval = "year" }
  pay(t, 6)
  t:identify { billing_interval = "month" }
  t:event("invoice.paid", { id = "in_7", billing_reason = "subscription_cycle", amount_paid = 0 })
  t:expect_verdict("not matched")
  t:event("invoice.paid", { id = "in_8", billing_reason = "manual", amount_paid = 4900 })
  t:expect_verdict("not matched")
  t:expect_nothing()
end)

test("a payment that failed lately makes a year at once too much; later it is offered", function(t)
  t:identify { plan = "team", billing_interval = "month" }
  pay(t, 4)
  t:event("invoice.payment_failed", { id = "in_5" })
  pay(t, 1)
  t:expect_nothing()
  pay(t, 4)
  t:expect_sent("crm", "upsell.offer")
end)

test("plans without a saving, unknown plans and odd invoices are left alone", function(t)
  t:identify { plan = "enterprise", billing_interval = "month" }
  pay(t, 5)
  t:event("invoice.paid", { id = "in_6", billing_reason = "subscription_cycle", amount_paid = 4900 })
  t:expect_verdict("skipped", "a year of this plan saves nothing")
  t:event("invoice.paid", { id = "in_7" })
  t:expect_verdict("not matched")
  t:event("invoice.paid", { id = "in_8", billing_reason = "subscription_cycle" })
  t:expect_verdict("not matched")
  t:event("invoice.paid", { id = "in_8", billing_reason = "subscription_cycle", amount_paid = "4900" })
  t:expect_verdict("not matched")
  t:identify { plan = "team", payment_failing = true }
  t:event("invoice.paid", { id = "in_9", billing_reason = "subscription_cycle", amount_paid = 4900 })
  t:expect_verdict("skipped", "a payment is failing")
  t:expect_nothing()
end)
