-- Watches the month in which a card ends, and tells of it shortly before: "Card Expiring" (card, last4, ends_at). New
-- data of the card, as the networks' updaters send it, begin the watch anew, so that most cards never come to it.
--
-- Reads "customer.source.expiring" (id, exp_month, exp_year), "payment_method.attached" and
-- "payment_method.automatically_updated" (id, card with exp_month, exp_year and wallet).
local paydays = use("lib/paydays")
local settings = use("lib/dunning")

local HOUR, DAY = 60 * 60 * 1000, 24 * 60 * 60 * 1000

-- The first moment of the month after this one; nil when it is no month.
local function month_after(year, month)
  year, month = math.tointeger(year), math.tointeger(month)
  if not year or not month or month < 1 or month > 12 or year < 2000 or year > 2100 then return nil end
  -- A month has at most 31 days: from the middle of this one, the next is not far.
  local day = (year - 1970) * 36524 // 100 + (month - 1) * 30
  for ahead = 0, 80 do
    local of_year, of_month, of_day = paydays.date(day + ahead)
    if of_day == 1 and (of_year > year or of_year == year and of_month > month) then return (day + ahead) * DAY end
  end
end

return rule {
  title  = "Watch the month in which a card ends",
  on     = { "customer.source.expiring", "payment_method.attached", "payment_method.automatically_updated" },
  key    = {
    ["customer.source.expiring"] = "data.id", ["payment_method.attached"] = "data.id",
    ["payment_method.automatically_updated"] = "data.id",
  },
  second   = "restart",
  stop_on  = { ["payment_method.detached"] = "data.id", ["customer.source.deleted"] = "data.id" },
  catch_up = "7 days",
  owner    = "billing",
  run = function(event, customer)
    local card = type(event.data.card) == "table" and event.data.card or event.data
    check(not card.wallet, "a card in a wallet is renewed there")
    local ends_at = month_after(card.exp_year, card.exp_month)
    check(ends_at, "the card has no month in which it ends")
    check(ends_at > now(), "the card has ended already")
    local offset = paydays.offset_minutes(customer.traits.timezone, card.country)
    wait_until(math.max(now(), ends_at - settings.expiring_days * DAY + 10 * HOUR - offset * 60 * 1000))
    emit("Card Expiring", { card = event.data.id, last4 = card.last4, ends_at = ends_at })
  end,
}
