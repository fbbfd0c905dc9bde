-- A failed payment is tried again after 1, 3, 5 and 7 days, with a reminder each time it fails again.
-- Ends at once when the invoice is paid or voided. One run for each invoice.
-- Event: invoice.payment_failed { invoice, attempt }; attempt is 1, or missing, the first time.
return rule {
  title   = "Recover a failed payment within 16 days",
  on      = "invoice.payment_failed",
  key     = "data.invoice",
  stop_on = { "invoice.paid", "invoice.voided" },
  when    = function(event) return (event.data.attempt or 1) == 1 end,
  class   = "transactional",
  run = function(event, customer)
    for attempt, pause in ipairs { "1 day", "3 days", "5 days", "7 days" } do
      wait(pause)
      local reply = call("billing", "payment.retry", { invoice = event.data.invoice, attempt = attempt })
      if reply.ok then return finish("recovered") end
      send("crm", "dunning.reminder", { customer = customer.id, invoice = event.data.invoice, attempt = attempt })
    end
    send("crm", "dunning.exhausted", { customer = customer.id, invoice = event.data.invoice })
    finish("exhausted")
  end,
}
