-- Reminds of a cart that was left at the checkout: more often the more it is worth, never after the purchase, and only
-- of products that can be had at the price that is told. Begins anew when the customer begins another checkout.
--
-- Reads "Checkout Started" (value or total, currency, products) and "Order Completed", both Segment's, decimals.
-- Asks  crm "cart.check" (customer, products): it answers { products = { { sku, available, price } } }, decimals.
-- Sends "cart.reminder" to crm: number, amount and currency (minor units), products, price_changed.
local carts = use("lib/carts")

-- From which worth on, in minor units of any currency, and how long after the checkout.
local ladder = {
  { from = 10000, reminders = { "1 hour", "23 hours", "48 hours" } },  -- 1 h, 24 h and 72 h
  { from =  3000, reminders = { "1 hour", "23 hours" } },
  { from =   500, reminders = { "24 hours" } },
}

return rule {
  title    = "Remind of an abandoned cart",
  on       = "Checkout Started",
  second   = "restart",
  goal     = { event = "Order Completed", within = "7 days" },
  topic    = "carts",
  cap      = { most = 3, per = "7 days" },
  hold_out = 10,
  catch_up = "6 hours",
  owner    = "shop",
  run = function(event, customer)
    local cart = carts.read(event.data)
    -- Events overtake each other: the word of a checkout may come after that of its purchase.
    check((last("Order Completed", "7 days") or 0) < event.time, "it was bought already: the checkout is told late")
    check(cart, "the cart has no worth or currency that can be understood")
    local reminders
    for _, step in ipairs(ladder) do
      if cart.amount >= step.from then reminders = step.reminders break end
    end
    check(reminders, "the cart is too small for a reminder")
    for number, pause in ipairs(reminders) do
      wait(pause)
      local reply = call("crm", "cart.check", { customer = customer.id, products = cart.asked },
        { shadow_reply = { ok = false } })
      local left = carts.hold_against(cart, reply)
      if #left.products == 0 then return finish("nothing of it can be had any more") end
      send("crm", "cart.reminder", {
        customer = customer.id, number = number, amount = left.amount, currency = cart.currency,
        products = left.products, price_changed = left.price_changed,
      }, { within = "12 hours" })
    end
    finish("reminded")
  end,
}
