local carts = use("lib/carts")

local data = {
  value = 150, currency = "eur",
  products = { { sku = "lamp", name = "Lamp", price = 50, quantity = 2 }, { product_id = "desk", price = "50" } },
}

test("worth and products are read in minor units", function(t)
  local cart = carts.read(data)
  assert(cart.amount == 15000 and cart.currency == "EUR" and #cart.products == 2)
  assert(cart.products[1].price == 5000 and cart.products[2].sku == "desk" and cart.products[2].quantity == 1)
  local sum = carts.read { currency = "KWD", products = data.products }
  assert(sum.amount == 150000)
end)

test("what cannot be understood is no cart", function(t)
  assert(carts.read({ value = 150, products = data.products }) == nil)
  assert(carts.read({ value = 150, currency = "EUR", products = {} }) == nil)
  assert(carts.read({ value = 0, currency = "EUR", products = { { sku = "gift" } } }) == nil)
  assert(carts.read({ value = 5, currency = "EUR", products = { "lamp", { quantity = 1 }, { sku = "x", quantity = 0 } } }) == nil)
end)

test("what is gone is left out, and a new price counts", function(t)
  local left = carts.hold_against(carts.read(data), { ok = true, body = { products = {
    { sku = "lamp", available = true, price = 40 }, { sku = "desk", available = false } } } })
  assert(#left.products == 1 and left.amount == 8000 and left.price_changed)
  assert(left.products[1].price == 4000 and left.products[1].was == 5000)
end)

test("an answer that cannot be trusted tells no prices", function(t)
  for _, reply in ipairs { { ok = false }, { ok = true }, { ok = true, body = "yes" }, { ok = true, body = {} } } do
    local left = carts.hold_against(carts.read(data), reply)
    assert(#left.products == 2 and left.amount == nil and left.products[1].price == nil and not left.price_changed)
  end
end)
