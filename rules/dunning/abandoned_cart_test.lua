local function checkout(t, value, products)
  t:event("Checkout Started", {
    value = value, currency = "EUR",
    products = products or { { sku = "lamp", name = "Lamp", price = value, quantity = 1 } },
  })
end

local function answer(t, ...) t:reply("crm", "cart.check", { ok = true, body = { products = { ... } } }) end

test("a large cart is reminded of after 1, 24 and 72 hours", function(t)
  checkout(t, 120)
  for number, pause in ipairs { "1 hour", "23 hours", "48 hours" } do
    answer(t, { sku = "lamp", available = true, price = 120 })
    t:advance(pause)
    t:expect_called("crm", "cart.check", { products = { { sku = "lamp", quantity = 1 } } })
    t:expect_sent("crm", "cart.reminder", { number = number, amount = 12000, currency = "EUR", price_changed = false })
  end
  t:advance("30 days")
  t:expect_nothing()
  t:expect_ended("reminded")
end)

test("a small cart gets one message, and a very small one none", function(t)
  checkout(t, 12.5)
  answer(t, { sku = "lamp", available = true, price = 12.5 })
  t:advance("10 days")
  t:expect_called("crm", "cart.check")
  t:expect_sent("crm", "cart.reminder", { number = 1, amount = 1250 })
  checkout(t, 4.99)
  t:expect_verdict("skipped", "too small")
  t:expect_nothing()
end)

test("the purchase ends it, also between two reminders", function(t)
  checkout(t, 120)
  answer(t, { sku = "lamp", price = 120 })
  t:advance("2 hours")
  t:expect_called("crm", "cart.check")
  t:expect_sent("crm", "cart.reminder")
  t:event("Order Completed", { order_id = "o1" })
  t:expect_ended("goal")
  t:advance("30 days")
  t:expect_nothing()
end)

test("what is out of stock is left out, a new price is told, and nothing is told when nothing is left", function(t)
  checkout(t, 150, {
    { sku = "lamp", name = "Lamp", price = 50, quantity = 2 }, { sku = "desk", name = "Desk", price = 50, quantity = 1 },
  })
  answer(t, { sku = "lamp", available = true, price = 45.5 }, { sku = "desk", available = false })
  t:advance("1 hour")
  t:expect_called("crm", "cart.check")
  t:expect_sent("crm", "cart.reminder", {
    amount = 9100, price_changed = true, products = { { sku = "lamp", quantity = 2, price = 4550, was = 5000 } },
  })
  answer(t, { sku = "lamp", available = false })
  t:advance("23 hours")
  t:expect_called("crm", "cart.check")
  t:expect_ended("nothing of it can be had any more")
  t:expect_nothing()
end)

test("without an answer about stock and prices no price is told", function(t)
  checkout(t, 120)
  t:reply("crm", "cart.check", { ok = false, status = 500 })
  t:advance("1 hour")
  t:expect_called("crm", "cart.check")
  t:expect_sent("crm", "cart.reminder", { amount = null, products = { { sku = "lamp", name = "Lamp", price = null } } })
end)

test("another checkout begins anew, with what is in the cart then", function(t)
  checkout(t, 120)
  t:advance("30 minutes")
  checkout(t, 40)
  t:expect_ended("replaced")
  answer(t, { sku = "lamp", price = 40 })
  t:advance("1 hour")
  t:expect_called("crm", "cart.check")
  t:expect_sent("crm", "cart.reminder", { number = 1, amount = 4000 })
  t:expect_nothing()
end)

test("who does not want to hear of carts does not", function(t)
  t:event("nudged.consent", { topic = "carts", given = false })
  checkout(t, 20)
  answer(t, { sku = "lamp", price = 20 })
  t:advance("5 days")
  t:expect_called("crm", "cart.check")
  t:expect_nothing()
end)

test("a cart without products, worth or currency begins nothing; yen have no decimals", function(t)
  for _, wrong in ipairs { { value = 120, currency = "EUR" }, { currency = "EUR", products = { { sku = "lamp" } } },
    { value = 120, products = { { sku = "lamp" } } }, { value = "much", currency = "EUR", products = { "lamp" } } } do
    t:event("Checkout Started", wrong)
    t:expect_verdict("skipped", "that can be understood")
  end
  t:event("Checkout Started", { value = 12000, currency = "JPY", products = { { product_id = "lamp", price = 12000 } } })
  answer(t, { sku = "lamp", price = 12000 })
  t:advance("1 hour")
  t:expect_called("crm", "cart.check")
  t:expect_sent("crm", "cart.reminder", { amount = 12000, currency = "JPY" })
end)

test("a checkout that is told after its purchase reminds of nothing, the next one does", function(t)
  t:event("Order Completed", { order_id = "o1" })
  t:event("Checkout Started", {
    value = 40, currency = "EUR", products = { { sku = "lamp", price = 40 } },
  }, { time = "2026-01-05T08:50:00Z" })
  t:expect_verdict("skipped", "it was bought already")
  t:advance("1 hour")
  checkout(t, 40)
  t:expect_verdict("waiting")
end)
