local bills = use("lib/bills")

local invoice = {
  name = "Invoice Unpaid", time = 1000,
  data = { id = "in_1", amount_remaining = 4900, amount_due = 5900, currency = "eur", subscription = "sub_1" },
}
local charge = {
  name = "charge.failed", time = 2000,
  data = {
    invoice = "in_1", amount = 1, currency = "usd", payment_method = "pm_1", outcome = { reason = "expired_card" },
    payment_method_details = { card = { network = "visa", country = "DE" } },
  },
}

test("both events make one bill, in whatever order they come", function(t)
  for _, events in ipairs { { invoice, charge }, { charge, invoice }, { invoice, invoice, charge } } do
    local bill = bills.join(events, 0)
    assert(bill.invoice == "in_1" and bill.amount == 4900 and bill.currency == "EUR" and bill.subscription == "sub_1")
    assert(bill.card == "pm_1" and bill.code == "expired_card" and bill.network == "visa" and bill.country == "DE")
    assert(bill.tried_at == 2000)
  end
end)

test("each alone tells what it can", function(t)
  local bill = bills.join({ charge }, 0)
  assert(bill.invoice == "in_1" and bill.amount == 1 and bill.currency == "USD" and bill.subscription == nil)
  assert(not bill.is_unpaid and bills.join({ invoice }, 0).is_unpaid)
  bill = bills.join({ invoice }, 0)
  assert(bill.amount == 4900 and bill.card == nil and bill.code == nil)
  bill = bills.join({ { name = "Invoice Unpaid", time = 1,
    data = { id = "in_1", amount_due = 5, currency = "jpy", payment_method = "pm_7", failure_code = "51", advice = "24" } } }, 0)
  assert(bill.amount == 5 and bill.card == "pm_7" and bill.code == "51" and bill.advice == "24")
end)

test("what is no amount is none", function(t)
  assert(bills.amount(nil, 4900) == 4900 and bills.amount("4900", 49.5) == nil)
  assert(bills.amount(0, 4900) == nil and bills.amount(-1, 4900) == nil, "nothing remains to be paid")
end)

test("a new card concerns every bill, new data only their own", function(t)
  local attached = { name = "payment_method.attached", data = { id = "pm_2", card = { brand = "amex", country = "US" } } }
  local updated = { name = "payment_method.automatically_updated", data = { id = "pm_2" } }
  local bill = bills.join({ charge }, 0)
  assert(bills.concerns(bill, attached) and not bills.concerns(bill, updated))
  assert(not bills.concerns(bill, { name = "payment_method.attached", data = {} }))
  bills.take_card(bill, attached)
  assert(bill.card == "pm_2" and bill.network == "amex" and bill.country == "US" and bill.code == nil)
  assert(bills.concerns(bill, updated))
end)
