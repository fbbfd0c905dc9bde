-- Confirm a registration, once for each webinar.
-- Event: webinar_registered { webinar, title, starts_at }
return rule {
  title = "Confirm a webinar registration",
  on    = "webinar_registered",
  key   = "data.webinar",
  again = "never",
  run = function(event, customer)
    send("crm", "webinar.confirmation", {
      customer = customer.id, webinar = event.data.webinar, title = event.data.title, starts_at = event.data.starts_at,
    })
  end,
}
