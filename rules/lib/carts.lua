-- A cart as a shop tells it, and what is left of it when stock and prices have changed.
local money = use("lib/money")

local function list(value) return type(value) == "table" and value or {} end

-- Worth in minor units and the products of a "Checkout Started"; nil when that cannot be told.
local function read(data)
  local currency = money.currency(data.currency)
  if not currency then return nil end
  local products, asked, sum = {}, {}, 0
  for _, one in ipairs(list(data.products)) do
    local sku = list(one).sku or list(one).product_id
    local price = money.minor(list(one).price, currency)
    local quantity = math.tointeger(list(one).quantity) or 1
    if sku and quantity > 0 then
      table.insert(products, { sku = sku, name = one.name, price = price, quantity = quantity })
      table.insert(asked, { sku = sku, quantity = quantity })
      sum = sum + (price or 0) * quantity
    end
  end
  local amount = money.minor(data.value or data.total or data.revenue, currency) or sum
  if #products == 0 or amount <= 0 then return nil end
  return { products = products, asked = asked, amount = amount, currency = currency }
end

-- The cart as it can be had now. Without an answer that can be trusted the names are told, and no price: a wrong one
-- is worse than none.
local function hold_against(cart, reply)
  local answer = reply.ok and type(reply.body) == "table" and list(reply.body).products
  local now_of = {}
  for _, one in ipairs(list(answer)) do
    if list(one).sku then now_of[one.sku] = one end
  end
  local left, sum, price_changed = {}, 0, false
  for _, one in ipairs(cart.products) do
    local current = now_of[one.sku]
    if not answer then
      table.insert(left, { sku = one.sku, name = one.name, quantity = one.quantity })
    elseif current and current.available ~= false then
      local price = money.minor(current.price, cart.currency) or one.price
      if price and one.price and price ~= one.price then price_changed = true end
      sum = sum and price and sum + price * one.quantity or nil
      table.insert(left, {
        sku = one.sku, name = one.name, quantity = one.quantity, price = price,
        was = price ~= one.price and one.price or nil,
      })
    end
  end
  return { products = left, amount = answer and sum or nil, price_changed = price_changed }
end

return { read = read, hold_against = hold_against }
