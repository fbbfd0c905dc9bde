-- Asks for another card before this one ends: once, and only when the networks have not renewed it until then. Whether
-- that helps at all is worth measuring: half of the customers are left alone, and `nudged rules lift` compares them.
-- Set hold_out to 10 once you know, or delete this rule.
--
-- Reads "Card Expiring" (card, last4, ends_at) of card_month.lua. Sends "dunning.card_expiring" to crm.
return rule {
  title    = "Ask for another card before this one ends",
  on       = "Card Expiring",
  key      = { ["Card Expiring"] = "data.card" },
  again    = "60 days",
  topic    = "billing",
  hold_out = 50,
  goal     = { event = "invoice.paid", within = "45 days" },
  owner    = "billing",
  run = function(event, customer)
    check(not customer.traits.payment_failing, "a payment is failing: the customer is asked for a card already")
    check(not customer.traits.churned, "the customer has left")
    send("crm", "dunning.card_expiring", {
      customer = customer.id, card = event.data.card, last4 = event.data.last4, ends_at = event.data.ends_at,
    })
  end,
}
