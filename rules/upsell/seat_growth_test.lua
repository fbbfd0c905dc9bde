local function join(t, who) t:event("Account Added User", { role = "member" }, { user = who, account = "acme" }) end
local function leave(t, who) t:event("Account Removed User", {}, { user = who, account = "acme" }) end
local acme = { account = "acme" }

test("three more people in 30 days bring an offer to the account", function(t)
  t:identify({ plan = "team", seats = 5 }, acme)
  join(t, "ada")
  join(t, "bob")
  t:expect_nothing()
  t:advance("20 days")
  join(t, "42")
  t:expect_sent("crm", "upsell.offer", {
    customer = "acme", offer = "seat_growth", plan = "business", seats = 3, reason = "3 more people in 30 days",
  }, acme)
  t:expect_traits({ last_offer = "seat_growth" }, acme)
  t:expect_nothing()
end)

test("whoever came and went again does not count", function(t)
  t:identify({ plan = "team" }, acme)
  join(t, "ada")
  leave(t, "ada")
  join(t, "bob")
  join(t, "42")
  t:expect_nothing()
  join(t, "ada")
  t:expect_sent("crm", "upsell.offer", { seats = 3 })
end)

test("three more of a hundred is no growth, and slow growth is none either", function(t)
  t:identify({ plan = "team", seats = 100 }, acme)
  for _, who in ipairs { "ada", "bob", "42" } do join(t, who) end
  t:identify({ seats = 5 }, acme)
  t:advance("31 days")
  join(t, "1")
  t:advance("31 days")
  join(t, "2")
  t:expect_nothing()
end)

test("once in 60 days, and not while another offer is young", function(t)
  t:identify({ plan = "team", last_offer = "annual", last_offer_at = 1767603600000 }, acme)
  for _, who in ipairs { "ada", "bob", "42" } do join(t, who) end
  t:event("Account Added User", {}, { account = "acme" })
  t:expect_verdict("skipped", "the offer 'annual' was made today")
  t:identify({ last_offer = null, last_offer_at = null }, acme)
  join(t, "1")
  t:expect_sent("crm", "upsell.offer", { seats = 5 })
  t:advance("59 days")
  for _, who in ipairs { "5", "6", "7" } do join(t, who) end
  t:expect_nothing()
  t:advance("1 day")
  join(t, "8")
  t:expect_sent("crm", "upsell.offer")
  t:expect_nothing()
end)

test("a failing payment or an open ticket of any of its people comes first", function(t)
  t:identify({ plan = "team" }, acme)
  t:event("invoice.payment_failed", { id = "in_1" }, { user = "bob", account = "acme" })
  for _, who in ipairs { "ada", "bob", "42" } do join(t, who) end
  t:expect_nothing()
  t:advance("1 hour")
  t:event("invoice.paid", { id = "in_1" }, { user = "bob", account = "acme" })
  t:event("Ticket Opened", { ticket_id = "t1" }, { user = "ada", account = "acme" })
  join(t, "1")
  t:expect_nothing()
  t:event("Ticket Solved", { ticket_id = "t1" }, { user = "ada", account = "acme" })
  join(t, "2")
  t:expect_sent("crm", "upsell.offer")
end)

test("people without an account, unknown plans and seats that are no number break nothing", function(t)
  for _ = 1, 4 do t:event("Account Added User", {}, { user = "ada" }) end
  t:identify({ seats = "five" }, acme)
  for _, who in ipairs { "ada", "bob", "42" } do join(t, who) end
  t:event("Account Added User", {}, { account = "acme" })
  t:expect_verdict("skipped", "there is no larger plan")
  t:expect_nothing()
end)
