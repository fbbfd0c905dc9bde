-- Remember that a payment is failing, so that other rules hold back.
return rule {
  title    = "Mark customers whose payment is failing",
  on       = "invoice.payment_failed",
  priority = 10,
  run = function(event, customer) set { payment_failing = true } end,
}
