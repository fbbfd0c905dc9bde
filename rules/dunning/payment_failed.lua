-- A payment failed: ask the customer to look at it, and tell billing how often it has happened.
-- Event: invoice.payment_failed { invoice, amount, currency }, amounts in minor units.
return rule {
  title = "Ask for another try when a payment failed",
  on    = "invoice.payment_failed",
  class = "transactional",
  run = function(event, customer)
    state.failures = (state.failures or 0) + 1
    send("billing", "payment.review", { customer = customer.id, invoice = event.data.invoice, failures = state.failures })
    send("crm", "payment.reminder", {
      customer = customer.id, invoice = event.data.invoice, amount = event.data.amount, currency = event.data.currency,
    })
  end,
}
