test("who pays and came less than twice in two weeks is in", function(t)
  t:identify { plan = "team" }
  t:expect_in("at_risk")
end)

test("who is in needs four visits to be out, who is out needs two to stay out", function(t)
  t:identify { plan = "team" }
  for _ = 1, 3 do t:event("session_started") end
  t:expect_in("at_risk")
  t:event("session_started")
  t:expect_not_in("at_risk")
  t:advance("13 days")
  t:event("session_started")
  t:event("session_started")
  t:advance("2 days")
  t:expect_not_in("at_risk")
  t:advance("13 days")
  t:expect_in("at_risk")
end)

test("who does not pay is never in", function(t)
  t:event("session_started")
  t:expect_not_in("at_risk")
end)
