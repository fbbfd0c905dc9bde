test("two days after good help the next plan is offered", function(t)
  t:identify { plan = "team" }
  t:event("Ticket Solved", { ticket_id = "t1", rating = 5 })
  t:expect_waiting { left = "2 days" }
  t:advance("2 days")
  t:expect_sent("crm", "upsell.offer", {
    customer = "42", offer = "after_support", plan = "business", reason = "rated the help with 5 of 5",
  })
  t:expect_traits { last_offer = "after_support" }
  t:expect_nothing()
end)

test("a new ticket within the two days ends it", function(t)
  t:identify { plan = "team" }
  t:event("Ticket Solved", { ticket_id = "t1", rating = 5 })
  t:advance("1 day 23 hours")
  t:event("Ticket Opened", { ticket_id = "t2" })
  t:expect_verdict("stopped")
  t:advance("2 days")
  t:expect_nothing()
end)

test("another ticket that is still open comes first", function(t)
  t:identify { plan = "team", open_tickets = 1 }
  t:event("Ticket Solved", { ticket_id = "t1", rating = 4 })
  t:advance("2 days")
  t:expect_ended("skipped")
  t:expect_nothing()
end)

test("a poor rating, none, and one that is no number are no success", function(t)
  t:identify { plan = "team" }
  t:event("Ticket Solved", { ticket_id = "t1", rating = 3 })
  t:expect_verdict("not matched")
  t:event("Ticket Solved", { ticket_id = "t2" })
  t:expect_verdict("not matched")
  t:event("Ticket Solved", { ticket_id = "t3", rating = "great" })
  t:expect_verdict("not matched")
  t:expect_nothing()
end)

test("who has no use for more, and who has the largest plan, is left alone", function(t)
  t:identify { plan = "team", opportunity_band = "low" }
  t:event("Ticket Solved", { ticket_id = "t1", rating = 5 })
  t:advance("2 days")
  t:expect_ended("skipped")
  t:identify({ plan = "enterprise", opportunity_band = "high" }, { user = "ada" })
  t:event("Ticket Solved", { ticket_id = "t2", rating = 5 }, { user = "ada" })
  t:advance("2 days")
  t:expect_ended("skipped", { user = "ada" })
  t:expect_nothing()
end)

test("once in 90 days", function(t)
  t:identify { plan = "team" }
  t:event("Ticket Solved", { ticket_id = "t1", rating = 5 })
  t:advance("2 days")
  t:expect_sent("crm", "upsell.offer")
  t:advance("87 days 23 hours")
  t:event("Ticket Solved", { ticket_id = "t2", rating = 5 })
  t:expect_verdict("not again")
  t:advance("1 hour")
  t:event("Ticket Solved", { ticket_id = "t3", rating = 5 })
  t:advance("2 days")
  t:expect_sent("crm", "upsell.offer")
  t:expect_nothing()
end)
