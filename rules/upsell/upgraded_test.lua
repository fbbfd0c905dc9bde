local function subscription(amount, interval, more)
  local o = more or {}
  return {
    id = o.id or "sub_1", status = o.status or "active", currency = o.currency or "eur",
    items = { data = { { quantity = o.quantity or 1, price = {
      unit_amount = amount, recurring = { interval = interval or "month", interval_count = o.every },
    } } } },
  }
end

test("a higher price is an upgrade, a lower one a downgrade, the same one neither", function(t)
  t:identify { plan = "team" }
  t:event("customer.subscription.created", subscription(4900))
  t:event("customer.subscription.updated", subscription(4900))
  t:event("customer.subscription.updated", subscription(19900))
  t:expect_emitted("Subscription Upgraded", { subscription = "sub_1", plan = "team", amount = 19900, currency = "eur" })
  t:event("customer.subscription.updated", subscription(4900))
  t:expect_emitted("Subscription Downgraded", { amount = 4900 })
  t:expect_traits { billing_interval = "month" }
  t:expect_nothing()
end)

test("what was never seen before is remembered in silence", function(t)
  t:event("customer.subscription.updated", subscription(19900))
  t:expect_verdict("ran", "nothing to compare with")
  t:expect_state { ["amount sub_1"] = 19900 }
end)

test("more seats are an upgrade", function(t)
  t:event("customer.subscription.created", subscription(1000, "month", { quantity = 5 }))
  t:event("customer.subscription.updated", subscription(1000, "month", { quantity = 8 }))
  t:expect_emitted("Subscription Upgraded", { amount = 8000 })
end)

test("a year at ten months' price is an upgrade, and going back to months a downgrade", function(t)
  t:event("customer.subscription.created", subscription(4900))
  t:event("customer.subscription.updated", subscription(49000, "year"))
  t:expect_emitted("Subscription Upgraded", { amount = 4083 })
  t:expect_traits { billing_interval = "year" }
  t:event("customer.subscription.updated", subscription(4900))
  t:expect_emitted("Subscription Downgraded", { amount = 4900 })
end)

test("a year at half the price is a downgrade, however long", function(t)
  t:event("customer.subscription.created", subscription(4900))
  t:event("customer.subscription.updated", subscription(29400, "year"))
  t:expect_emitted("Subscription Downgraded", { amount = 2450 })
end)

test("three months at a time are brought to a month", function(t)
  t:event("customer.subscription.created", subscription(3000, "month", { every = 3 }))
  t:event("customer.subscription.updated", subscription(3300, "month", { every = 3 }))
  t:expect_emitted("Subscription Upgraded", { amount = 1100 })
end)

test("two subscriptions of a customer are two, and one that ended is forgotten", function(t)
  t:event("customer.subscription.created", subscription(4900))
  t:event("customer.subscription.created", subscription(1000, "month", { id = "sub_2" }))
  t:event("customer.subscription.updated", subscription(2000, "month", { id = "sub_2" }))
  t:expect_emitted("Subscription Upgraded", { subscription = "sub_2", amount = 2000 })
  t:event("customer.subscription.deleted", subscription(4900))
  t:expect_state { ["amount sub_1"] = null, ["amount sub_2"] = 2000 }
  t:event("customer.subscription.created", subscription(100))
  t:expect_verdict("ran", "nothing to compare with")
end)

test("the account hears of it, too", function(t)
  local ada = { user = "ada", account = "acme" }
  t:event("customer.subscription.created", subscription(4900), ada)
  t:event("customer.subscription.updated", subscription(19900), ada)
  t:expect_emitted("Subscription Upgraded", { amount = 19900 })
  t:expect_emitted("Subscription Upgraded", { amount = 19900 })
end)

test("another currency, unpaid ones and what cannot be read change nothing", function(t)
  t:event("customer.subscription.created", subscription(4900))
  t:event("customer.subscription.updated", subscription(9900, "month", { status = "past_due" }))
  t:expect_verdict("skipped", "not active")
  t:event("customer.subscription.updated", subscription("9900"))
  t:expect_verdict("skipped", "cannot be read")
  t:event("customer.subscription.updated", subscription(9900, "moon"))
  t:expect_verdict("skipped", "cannot be read")
  t:event("customer.subscription.updated", { id = "sub_1", status = "active", items = "none" })
  t:expect_verdict("skipped", "cannot be read")
  t:event("customer.subscription.updated", { status = "active" })
  t:expect_verdict("no key")
  t:expect_state { ["amount sub_1"] = 4900 }
  t:event("customer.subscription.updated", subscription(9900, "month", { currency = "usd" }))
  t:expect_verdict("ran", "another currency")
end)

test("an update that is overtaken by a newer one changes nothing", function(t)
  local function tell(amount, time) t:event("customer.subscription.updated", subscription(amount), { time = time }) end
  tell(4900, "2026-01-05T08:00:00Z")
  tell(19900, "2026-01-05T08:30:00Z")
  t:expect_emitted("Subscription Upgraded")
  tell(9900, "2026-01-05T08:20:00Z")
  t:expect_verdict("skipped", "told late")
  t:expect_state { ["amount sub_1"] = 19900 }
end)

test("items, quantities and currencies that are none are left alone", function(t)
  for _, items in ipairs { { data = { 1 } }, { data = { "x" } }, { data = 5 }, 5, "x" } do
    t:event("customer.subscription.created", { id = "sub_1", status = "active", currency = "eur", items = items })
    t:expect_verdict("skipped", "cannot be read")
  end
  t:event("customer.subscription.created", subscription(4900, "month", { quantity = "two" }))
  t:expect_verdict("skipped", "cannot be read")
  t:event("customer.subscription.created", subscription(4900, "month", { every = "x" }))
  t:expect_verdict("skipped", "cannot be read")
  t:event("customer.subscription.created", subscription(4900, "month", { currency = { 1 } }))
  t:expect_verdict("skipped", "no currency")
end)
