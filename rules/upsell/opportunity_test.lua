local function use_it(t, times, features)
  local names = { "search", "board", "report", "chart", "map", "feed", "mail", "task" }
  for number = 1, times do t:event("Feature Used", { feature = names[number % features + 1] }) end
end

test("who is near a limit, knocks at doors and uses much is a high opportunity, with the reasons", function(t)
  t:identify { plan = "team" }
  use_it(t, 10, 4)
  t:advance("35 days")
  use_it(t, 20, 8)
  for _ = 1, 4 do t:event("Feature Blocked", { feature = "sso", plan = "team" }) end
  t:event("Usage Reported", { metric = "seats", used = 5, limit = 5 })
  t:advance("1 day")
  t:expect_traits {
    opportunity_band = "high",
    opportunity_reasons = {
      "+30 limit: 100 % of a limit are used", "+24 gate: tried 4 times what the plan does not have",
      "+15 breadth: 8 features in 30 days",
    },
  }
  t:expect_nothing()
end)

test("knocks fade: half of their points go in two weeks", function(t)
  t:identify { plan = "team" }
  for _ = 1, 4 do t:event("Feature Blocked", { feature = "sso", plan = "team" }) end
  t:advance("20 hours")
  t:expect_traits { opportunity_band = "some", opportunity = 48 }
  t:advance("14 days")
  t:expect_traits { opportunity_band = "low", opportunity = 24 }
  t:advance("14 days")
  t:expect_traits { opportunity_band = "low", opportunity = 12 }
end)

test("what is judged twice with the same result is set once", function(t)
  t:identify { plan = "team" }
  t:advance("1 day")
  t:expect_traits { opportunity = 0, opportunity_band = "low" }
  t:advance("1 day")
  t:expect_verdict("skipped", "nothing has changed that matters")
end)

test("nobody is judged who has left, who has no plan or the largest one", function(t)
  t:identify({ name = "Ada" }, { user = "ada" })
  t:identify({ plan = "team", churned = true }, { user = "bob" })
  t:identify({ plan = "enterprise" })
  t:advance("1 day")
  t:expect_verdict("skipped", "there is no larger plan")
  for _, who in ipairs { "ada", "bob", "42" } do t:expect_traits({ opportunity = null }, { user = who }) end
end)

test("reports that are nonsense are not known, and break nothing", function(t)
  t:identify { plan = "team" }
  t:event("Usage Reported", { metric = "seats", used = "five", limit = 0 })
  t:event("Feature Used", { feature = 7 })
  t:event("Feature Blocked", {})
  t:advance("1 day")
  t:expect_verdict("ran")
  t:expect_traits { opportunity_band = "low" }
end)

test("it is judged at five on everyone's own clock", function(t)
  t:identify { plan = "team", timezone = "America/New_York" }
  t:at("2026-01-07 04:59", "America/New_York")
  t:event("Usage Reported", { metric = "seats", used = 5, limit = 5 })
  t:at("2026-01-07 05:00", "America/New_York")
  t:expect_traits { opportunity_reasons = { "+38 limit: 100 % of a limit are used" } }
end)
