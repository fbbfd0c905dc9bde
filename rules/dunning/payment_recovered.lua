-- The invoice is paid after all: say thank you and forget the failures.
return rule {
  title = "Say thank you when a failed payment was recovered",
  on    = "invoice.paid",
  run = function(event, customer)
    check(customer.traits.payment_failing, "no payment had failed")
    set { payment_failing = null }
    send("crm", "payment.recovered", { customer = customer.id, invoice = event.data.invoice })
  end,
}
