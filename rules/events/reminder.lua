-- Remind of a webinar in the evening before, by the customer's own clock, wherever its date moves to.
-- Events: webinar_registered { webinar, title, starts_at } of a customer and the thing "webinar:…", and of that
-- thing alone webinar_moved { starts_at } and webinar_cancelled.
return rule {
  title = "Remind of a webinar in the evening before",
  on    = before("data.starts_at", { days = 1, at = "18:00" }, {
    event = "webinar_registered", moved = "webinar_moved", cancelled = "webinar_cancelled",
  }),
  key   = "thing",  -- one reminder for each webinar
  late  = "skip",   -- who registers later than that has just read the date
  run = function(event, customer, date)
    send("crm", "webinar.reminder", { customer = customer.id, title = event.data.title, starts_at = date })
  end,
}
