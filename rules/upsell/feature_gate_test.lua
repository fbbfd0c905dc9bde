rules { "upsell/limit_near" }

local function try(t, feature, plan)
  t:event("Feature Blocked", { feature = feature, plan = plan or "free" })
end

test("five attempts make one message, with each feature once and the smallest plan that has them all", function(t)
  for _, feature in ipairs { "export", "sso", "export", "audit" } do
    try(t, feature)
    t:expect_verdict("collected")
    t:expect_nothing()
    t:advance("1 minute")
  end
  try(t, "sso")
  t:expect_sent("crm", "upsell.offer", {
    customer = "42", offer = "feature_gate", features = { "export", "sso", "audit" }, attempts = 5, plan = "business",
    reason = "tried export, sso, audit, 5 times in a week",
  })
  t:advance("1 day")
  t:expect_nothing()
end)

test("fewer are told of an hour after the first, when there were three in a week", function(t)
  try(t, "export")
  t:expect_waiting { ends = "2026-01-05T10:00:00Z" }
  t:advance("1 hour")
  t:expect_nothing()
  t:advance("2 days")
  try(t, "export")
  try(t, "api")
  t:expect_nothing()
  t:advance("1 hour")
  t:expect_sent("crm", "upsell.offer", { features = { "export", "api" }, attempts = 3, plan = "team" })
  t:expect_nothing()
end)

test("two in a week may be slips, and slips do not add up over months", function(t)
  for _ = 1, 4 do
    try(t, "export")
    try(t, "export")
    t:advance("10 days")
  end
  t:expect_ended("skipped")
  t:expect_nothing()
end)

test("whoever upgrades meanwhile hears nothing", function(t)
  for _ = 1, 4 do try(t, "export") end
  t:event("Subscription Upgraded", { plan = "team" })
  t:expect_ended("goal")
  t:advance("1 day")
  t:expect_nothing()
end)

test("after a message there is silence for 14 days, and for 30 while it is the last offer", function(t)
  for _ = 1, 5 do try(t, "export") end
  t:expect_sent("crm", "upsell.offer")
  t:advance("13 days 23 hours 59 minutes")
  try(t, "export")
  t:expect_verdict("not again")
  t:advance("1 minute")
  for _ = 1, 5 do try(t, "export") end
  t:expect_verdict("skipped", "the offer 'feature_gate' was made 14 days ago")
  t:advance("17 days")
  for _ = 1, 5 do try(t, "export") end
  t:expect_sent("crm", "upsell.offer")
  t:expect_nothing()
end)

test("what no larger plan has, and what is no feature at all, is not collected", function(t)
  try(t, "export", "enterprise")
  t:expect_verdict("not matched")
  try(t, "teleport")
  t:expect_verdict("not matched")
  t:event("Feature Blocked", { plan = "free" })
  t:expect_verdict("not matched")
  t:event("Feature Blocked", { feature = 7, plan = {} })
  t:expect_verdict("not matched")
  t:expect_nothing()
end)

test("while a payment fails there is no offer", function(t)
  t:identify { payment_failing = true }
  for _ = 1, 5 do try(t, "export") end
  t:expect_verdict("skipped", "a payment is failing")
  t:expect_nothing()
end)

test("the offer of another rule counts as well, whatever it was about", function(t)
  t:identify { plan = "free" }
  t:event("Usage Reported", { metric = "storage_gb", used = 1, limit = 1 })
  t:expect_sent("crm", "upsell.offer", { offer = "limit_near" })
  t:advance("5 days")
  for _ = 1, 5 do try(t, "export") end
  t:expect_verdict("skipped", "the offer 'limit_near' was made 5 days ago; one in 30 days is enough")
  t:expect_nothing()
end)
