test("tickets are counted up and down", function(t)
  t:event("Ticket Opened", { ticket_id = "t1", priority = "high" })
  t:expect_traits { open_tickets = 1 }
  t:event("Ticket Opened", { ticket_id = "t2" })
  t:expect_traits { open_tickets = 2 }
  t:event("Ticket Solved", { ticket_id = "t1", rating = 4 })
  t:expect_traits { open_tickets = 1 }
  t:expect_ended("solved")
  t:event("Ticket Solved", { ticket_id = "t2" })
  t:expect_traits { open_tickets = 0 }
  t:expect_nothing()
end)

test("a ticket that is told twice counts once, and one that is opened again counts again", function(t)
  t:event("Ticket Opened", { ticket_id = "t1" })
  t:event("Ticket Opened", { ticket_id = "t1", priority = "high" })
  t:expect_verdict("second")
  t:expect_traits { open_tickets = 1 }
  t:event("Ticket Solved", { ticket_id = "t1" })
  t:event("Ticket Solved", { ticket_id = "t1" })
  t:expect_traits { open_tickets = 0 }
  t:event("Ticket Opened", { ticket_id = "t1" })
  t:expect_traits { open_tickets = 1 }
end)

test("what nobody closes is forgotten after 60 days", function(t)
  t:event("Ticket Opened", { ticket_id = "t1" })
  t:advance("59 days 23 hours")
  t:expect_traits { open_tickets = 1 }
  t:advance("1 hour")
  t:expect_traits { open_tickets = 0 }
  t:expect_ended("nobody closed it: forgotten")
end)

test("a ticket without an id counts nowhere, and one that was never opened is not solved", function(t)
  t:event("Ticket Opened", { priority = "high" })
  t:expect_verdict("no key")
  t:event("Ticket Opened", { ticket_id = { 1 } })
  t:expect_verdict("no key")
  t:event("Ticket Solved", { ticket_id = "t9" })
  t:expect_traits { open_tickets = null }
end)

test("a ticket that was solved before its opening is told is not open; opened again later it is", function(t)
  t:event("Ticket Solved", { ticket_id = "t1" }, { time = "2026-01-05T08:30:00Z" })
  t:event("Ticket Opened", { ticket_id = "t1" }, { time = "2026-01-05T08:00:00Z" })
  t:expect_verdict("skipped", "solved already")
  t:expect_traits { open_tickets = null }
  t:event("Ticket Opened", { ticket_id = "t1" })
  t:expect_traits { open_tickets = 1 }
end)
