-- A finished course with enough points earns a certificate, once for each course.
-- Event: course_finished { course, score }
return rule {
  title = "Order a certificate for a finished course",
  on    = "course_finished",
  key   = "data.course",
  again = "never",
  when  = function(event) return (event.data.score or 0) >= 70 end,
  run = function(event, customer)
    send("learning", "certificate.order", { customer = customer.id, course = event.data.course, score = event.data.score })
  end,
}
