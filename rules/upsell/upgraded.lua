-- Turns the subscription events of billing into "Subscription Upgraded" and "Subscription Downgraded", which the
-- goals of all offers wait for. Sends nothing to anybody.
-- Reads customer.subscription.created, .updated and .deleted as Stripe sends them. An update says what is now, so
-- that the rule remembers what was. All prices are brought to a month: 490.00 a year are less than 49.00 a month. A
-- longer interval at up to 30 % less is a promise for a year and counts as an upgrade; going back to months counts
-- as a downgrade. Also keeps the trait billing_interval, and tells the account, where there is one.
local discount_most = 30
local months_of = { day = 12 / 365, week = 12 / 52, month = 1, year = 12 }

local function part(value) return type(value) == "table" and value or {} end

-- What a subscription costs in a month, its longest interval in months, and that interval; nil when it cannot be read.
local function monthly(data)
  local list = part(part(data.items).data)
  local amount, longest, interval = 0, 0, nil
  for _, item in ipairs(list) do
    local price = part(part(item).price)
    local every = part(price.recurring)
    local months, count, quantity = months_of[every.interval or ""], every.interval_count or 1, part(item).quantity or 1
    if not months or type(price.unit_amount) ~= "number" or type(count) ~= "number" or count <= 0
      or type(quantity) ~= "number" then return nil end
    months = months * count
    amount = amount + price.unit_amount * quantity / months
    if months > longest then longest, interval = months, every.interval end
  end
  if not interval then return nil end
  return math.tointeger((amount + 0.5) // 1), longest, interval
end

return rule {
  title = "Tell of upgrades and downgrades",
  on    = { "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted" },
  key   = "data.id",
  owner = "growth",
  run = function(event, customer)
    local id, account = event.data.id, event.account or customer.account
    local was, was_months, was_currency = state["amount " .. id], state["months " .. id], state["currency " .. id]
    if event.name == "customer.subscription.deleted" then
      state["amount " .. id], state["months " .. id], state["currency " .. id] = nil, nil, nil
      state["at " .. id] = nil
      return finish("forgotten with its end")
    end
    check(event.data.status == "active" or event.data.status == "trialing", "not active: what it costs is not settled")
    local amount, months, interval = monthly(event.data)
    check(amount, "the prices of the subscription cannot be read")
    check(type(event.data.currency) == "string" and #event.data.currency <= 10, "the subscription has no currency")
    -- Events overtake each other on their way: an older one says nothing about now.
    check((state["at " .. id] or event.time) <= event.time, "told late: something newer is known")
    state["at " .. id] = event.time
    state["amount " .. id], state["months " .. id], state["currency " .. id] = amount, months, event.data.currency
    if customer.traits.billing_interval ~= interval then set { billing_interval = interval } end
    if not was then return finish("remembered: nothing to compare with") end
    if was_currency ~= event.data.currency then return finish("another currency: not compared") end
    local name = nil
    if months > was_months and amount * 100 >= was * (100 - discount_most) then
      name = "Subscription Upgraded"
    elseif months < was_months and was * 100 >= amount * (100 - discount_most) then
      name = "Subscription Downgraded"
    elseif amount ~= was then
      name = amount > was and "Subscription Upgraded" or "Subscription Downgraded"
    end
    if not name then return finish("costs the same as before") end
    local told = { subscription = id, plan = customer.traits.plan, amount = amount, currency = event.data.currency }
    if name == "Subscription Upgraded" then
      emit("Subscription Upgraded", told)
      if account then emit("Subscription Upgraded", told, { subject = "account:" .. account }) end
    else
      emit("Subscription Downgraded", told)
      if account then emit("Subscription Downgraded", told, { subject = "account:" .. account }) end
    end
  end,
}
