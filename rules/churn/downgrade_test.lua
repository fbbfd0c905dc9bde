test("ten minutes after the last click the owner is told what would be lost", function(t)
  t:identify { owner = "bob", health_band = "watch" }
  t:event("Downgrade Requested", { from = "business", to = "free" })
  t:advance("5 minutes")
  t:event("Downgrade Requested", { from = "business", to = "team" })
  t:advance("9 minutes")
  t:expect_nothing()
  t:advance("1 minute")
  t:expect_sent("crm", "churn.downgrade_asked", {
    customer = "42", from = "business", to = "team", loses = { "audit", "roles", "sso" }, health_band = "watch",
    owner = "bob",
  })
  t:expect_nothing()
end)

test("who upgrades in these minutes is no news", function(t)
  t:event("Downgrade Requested", { from = "business", to = "team" })
  t:event("Subscription Upgraded", { plan = "enterprise" })
  t:expect_ended("stopped")
  t:advance("1 hour")
  t:expect_nothing()
end)

test("once in seven days", function(t)
  t:event("Downgrade Requested", { from = "business", to = "team" })
  t:advance("10 minutes")
  t:expect_sent("crm", "churn.downgrade_asked")
  t:advance("6 days")
  t:event("Downgrade Requested", { from = "business", to = "free" })
  t:advance("1 hour")
  t:expect_nothing()
  t:advance("1 day")
  t:event("Downgrade Requested", { from = "business", to = "free" })
  t:advance("10 minutes")
  t:expect_sent("crm", "churn.downgrade_asked", { to = "free" })
end)

test("plans that are unknown, equal or larger, and customers who have left", function(t)
  local cases = {
    ada = { from = "business", to = "basic" }, bob = { from = "team", to = "team" },
    ["7"] = { from = "team", to = "business" },
    ["8"] = {}, ["9"] = { from = 7, to = {} },
  }
  for who, data in pairs(cases) do t:event("Downgrade Requested", data, { user = who }) end
  t:identify({ churned = true }, { user = "42" })
  t:event("Downgrade Requested", { from = "business", to = "team" })
  t:advance("1 hour")
  for who in pairs(cases) do t:expect_ended("skipped", { user = who }) end
  t:expect_ended("skipped", { user = "42" })
  t:expect_nothing()
end)
