test("who pays and came twice is at risk when the first visit is two weeks old", function(t)
  t:event("session_started")
  t:advance("1 day")
  t:event("session_started")
  t:advance("1 hour")
  t:identify { plan = "team" }
  t:expect_nothing()
  t:advance("13 days 5 hours")
  t:expect_sent("crm", "churn.at_risk", { customer = "42", plan = "team" })
  t:expect_nothing()
end)

test("who comes back four times and leaves again is told of once in 60 days", function(t)
  t:identify { plan = "team" }
  t:expect_sent("crm", "churn.at_risk")
  for _ = 1, 4 do t:event("session_started") end
  t:advance("15 days")
  t:expect_verdict("not again")
  t:expect_nothing()
end)

test("who does not pay is not at risk", function(t)
  t:event("session_started")
  t:advance("30 days")
  t:expect_nothing()
end)
