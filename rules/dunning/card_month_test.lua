rules { "dunning/card_expiring" }

local card = { exp_month = 2, exp_year = 2026, last4 = "4242", country = "US" }

local function attach(t, changes)
  local one = {}
  for name, value in pairs(card) do one[name] = value end
  for name, value in pairs(changes or {}) do one[name] = value end
  t:event("payment_method.attached", { id = "pm_1", card = one })
end

test("a card that ends is told of seven days before, at ten on the customer's clock", function(t)
  t:identify { timezone = "America/New_York" }
  attach(t)
  t:expect_waiting { ends = "2026-02-22T15:00:00Z", rule = "dunning/card_month" }
  t:at("2026-02-22T15:00:00Z")
  t:expect_emitted("Card Expiring", { card = "pm_1", last4 = "4242", ends_at = 1772323200000 })
  t:expect_sent("crm", "dunning.card_expiring", { card = "pm_1" })
  t:advance("60 days")
  t:expect_nothing()
end)

test("new data of the card begin anew: nobody is bothered with a card that was renewed", function(t)
  attach(t)
  t:advance("20 days")
  t:event("payment_method.automatically_updated", { id = "pm_1", card = { exp_month = 2, exp_year = 2029 } })
  t:expect_ended("replaced")
  t:at("2029-02-01T00:00:00Z")
  t:expect_nothing()
  t:at("2029-02-23T00:00:00Z")
  t:expect_sent("crm", "dunning.card_expiring")
end)

test("a card that is taken away is forgotten, another one is not", function(t)
  attach(t)
  t:event("payment_method.detached", { id = "pm_2" })
  t:expect_waiting { rule = "dunning/card_month" }
  t:event("payment_method.detached", { id = "pm_1" })
  t:expect_not_waiting()
end)

test("the older cards of Stripe are watched as well, and late word is told at once", function(t)
  t:at("2026-02-26T12:00:00Z")
  t:event("customer.source.expiring", { id = "card_1", exp_month = 2, exp_year = 2026, last4 = "1111" })
  t:expect_emitted("Card Expiring", { card = "card_1", last4 = "1111" })
  t:expect_sent("crm", "dunning.card_expiring")
end)

test("December ends with the year", function(t)
  attach(t, { exp_month = 12, country = "GB" })
  t:expect_waiting { ends = "2026-12-25T10:00:00Z", rule = "dunning/card_month" }
end)

test("wallets, cards without a month, with nonsense, and those that have ended are left alone", function(t)
  for _, wrong in ipairs {
    { "wallet", { wallet = { type = "apple_pay" } } }, { "no month", { exp_month = 13 } },
    { "no month", { exp_month = "soon" } }, { "has ended", { exp_year = 2025 } },
  } do
    attach(t, wrong[2])
    t:expect_verdict("skipped", wrong[1], { rule = "dunning/card_month" })
  end
  t:event("payment_method.attached", { id = "pm_1" })
  t:expect_verdict("skipped", "no month", { rule = "dunning/card_month" })
  t:event("payment_method.attached", { card = card })
  t:expect_verdict("no key", "data.id", { rule = "dunning/card_month" })
  t:expect_not_waiting()
end)
