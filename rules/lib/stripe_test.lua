local stripe = use("lib/stripe")

test("a charge pays the invoice with this card", function(t)
  local request = stripe { type = "payment.charge", data = { invoice = "in_1", payment_method = "pm_1", amount = 4900 } }
  assert(request.path == "/v1/invoices/in_1/pay" and request.method == nil)
  assert(request.data.payment_method == "pm_1" and request.data.amount == nil and request.data.off_session == true)
end)

test("a look-up reads the invoice, and pays nothing", function(t)
  local request = stripe { type = "payment.lookup", data = { invoice = "in_1", tried_at = 1767603600000 } }
  assert(request.path == "/v1/invoices/in_1" and request.data.metadata.looked_up_try == "1767603600000")
end)

test("the end of a subscription", function(t)
  local request = stripe { type = "subscription.cancel", data = { subscription = "sub_1" } }
  assert(request.path == "/v1/subscriptions/sub_1" and request.method == "DELETE")
end)

test("what is for someone else is not sent to Stripe, and no id leads astray", function(t)
  assert(stripe({ type = "dunning.reminder", data = {} }) == nil)
  for _, wrong in ipairs { "in_1/void", "../customers", "", 7 } do
    assert(not pcall(stripe, { type = "payment.charge", data = { invoice = wrong, payment_method = "pm_1" } }), wrong)
    assert(not pcall(stripe, { type = "payment.lookup", data = { invoice = wrong } }), wrong)
    assert(not pcall(stripe, { type = "subscription.cancel", data = { subscription = wrong, invoice = "in_1" } }), wrong)
  end
end)
