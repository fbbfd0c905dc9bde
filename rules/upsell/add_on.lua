-- Somebody has bought all parts of a bundle: two days later, when the receipt is read and nothing was sent back,
-- offer what goes with it.
-- Reads "Order Completed" { order_id, products = { { sku } } }. Bundles stand in data/add_ons.csv. With several that
-- fit, the one with the most parts wins. What is in the order already, or was offered before, is not offered.
local add_ons = use("data/add_ons")
local offers  = use("lib/offers")

-- How many parts a bundle has when all of them are in the order; nil otherwise.
local function parts_bought(bundle, bought)
  local parts = 0
  for sku in string.gmatch(bundle, "%S+") do
    if not bought[sku] then return nil end
    parts = parts + 1
  end
  return parts
end

return rule {
  title    = "Offer what goes with a bundle two days after it was bought",
  on       = "Order Completed",
  key      = "data.order_id",
  again    = "never",
  stop_on  = { "Order Refunded", "Order Cancelled" },
  topic    = "offers",
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer)
    check(type(event.data.products) == "table", "the order has no list of products")
    local bought = {}
    for _, product in ipairs(event.data.products) do
      if type(product) == "table" and product.sku then bought[product.sku] = true end
    end
    local best, most = nil, 0
    for add_on, row in pairs(add_ons) do
      local parts = parts_bought(row.bundle, bought)
      local is_new = not bought[add_on] and not state["offered " .. add_on]
      if parts and parts > most and is_new then best, most = add_on, parts end
    end
    check(best, "no add-on fits this order")
    wait("2 days")
    local refusal = offers.refusal(customer.traits, now())
    if refusal then skip(refusal) end
    state["offered " .. best] = true
    set(offers.made("add_on", now()))
    send("crm", "upsell.offer", {
      customer = customer.id, offer = "add_on", product = best, reason = "bought all of: " .. add_ons[best].bundle,
    })
  end,
}
