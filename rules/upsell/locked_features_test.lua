local plans = use("lib/plans")

local function try(t, feature)
  t:event("feature_locked", { feature = feature, plan = "team" })
end

test("five attempts make one message, with each feature once", function(t)
  for _, feature in ipairs { "export", "sso", "export", "audit" } do
    try(t, feature)
    t:expect_verdict("collected")
    t:expect_nothing()
    t:advance("1 minute")
  end
  try(t, "sso")
  t:expect_sent("crm", "upsell.locked_features", {
    customer = "42", features = { "export", "sso", "audit" }, attempts = 5, plan = plans.next_plan.team,
  })
  t:advance("1 day")
  t:expect_nothing()
end)

test("fewer are told of an hour after the first", function(t)
  try(t, "export")
  t:expect_waiting { ends = "2026-01-05T10:00:00Z" }
  t:advance("59 minutes")
  try(t, "sso")
  t:expect_nothing()
  t:advance("1 minute")
  t:expect_sent("crm", "upsell.locked_features", { features = { "export", "sso" }, attempts = 2 })
  t:expect_nothing()
end)

test("one alone may be a slip", function(t)
  try(t, "export")
  t:advance("1 hour")
  t:expect_nothing()
end)

test("whoever upgrades meanwhile hears nothing", function(t)
  try(t, "export")
  try(t, "sso")
  t:event("plan_upgraded", { plan = "business" })
  t:expect_verdict("stopped")
  t:advance("1 day")
  t:expect_nothing()
end)

test("after a message there is silence for 14 days", function(t)
  try(t, "export")
  try(t, "sso")
  t:advance("1 hour")
  t:expect_sent("crm", "upsell.locked_features")
  t:advance("13 days 23 hours 59 minutes")
  try(t, "export")
  t:expect_verdict("not again")
  t:advance("1 minute")
  try(t, "export")
  t:expect_verdict("collected")
end)

test("nothing is collected for the largest plan", function(t)
  t:event("feature_locked", { feature = "export", plan = "enterprise" })
  t:expect_verdict("not matched")
  t:expect_nothing()
end)
