local offers = use("lib/offers")

local day = 86400 * 1000
local now = 1000 * day

local function expect(sentence, traits)
  local found = offers.refusal(traits, now)
  assert(found ~= nil and found:find(sentence, 1, true), tostring(found))
end

test("nothing speaks against a customer of whom nothing is known", function(t)
  assert(offers.refusal({}, now) == nil)
  local fine = { access = "full", open_tickets = 0, payment_failing = false, health_band = "good" }
  assert(offers.refusal(fine, now) == nil)
end)

test("each reason is a sentence", function(t)
  expect("a payment is failing", { payment_failing = true })
  expect("access is not full", { access = "read_only" })
  expect("access is not full", { access = "suspended" })
  expect("a ticket is open", { open_tickets = 1 })
  expect("has left", { churned = true, payment_failing = true })
  expect("at risk", { health_band = "risk" })
end)

test("one offer in 30 days, to the millisecond", function(t)
  expect("the offer 'annual' was made 12 days ago", { last_offer = "annual", last_offer_at = now - 12 * day })
  expect("29 days ago", { last_offer = "annual", last_offer_at = now - 30 * day + 1 })
  assert(offers.refusal({ last_offer = "annual", last_offer_at = now - 30 * day }, now) == nil)
end)

test("nonsense in traits keeps no offer back and breaks nothing", function(t)
  assert(offers.refusal({ last_offer_at = "yesterday", open_tickets = "two", payment_failing = "no" }, now) == nil)
end)

test("an account waits for the payments and tickets of its people", function(t)
  assert(offers.account_refusal({}, now, nil, nil, 0) == nil)
  assert(offers.account_refusal({}, now, now - day, nil, 0):find("payment is failing"))
  assert(offers.account_refusal({}, now, now - day, now - 2 * day, 0):find("payment is failing"))
  assert(offers.account_refusal({}, now, now - 2 * day, now - day, 0) == nil)
  assert(offers.account_refusal({}, now, nil, nil, 1):find("ticket"))
  assert(offers.account_refusal({ payment_failing = true }, now, nil, nil, 0):find("payment is failing"))
end)

test("what is made is kept as traits that refuse the next one", function(t)
  local traits = offers.made("annual", now)
  assert(traits.last_offer == "annual" and offers.refusal(traits, now + day) ~= nil)
end)
