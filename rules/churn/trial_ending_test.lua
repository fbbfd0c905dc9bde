local function begin(t, ends, who)
  t:event("Trial Started", { trial_plan_name = "team", trial_end_date = ends }, { user = who or "42" })
end

test("three days before the end, at ten, who has hardly used it is offered help", function(t)
  t:identify { timezone = "Europe/Berlin" }
  begin(t, "2026-01-19T12:00:00Z")
  t:event("Signed In")
  t:event("Feature Used", { feature = "board" })
  t:at("2026-01-16 09:59", "Europe/Berlin")
  t:expect_nothing()
  t:at("2026-01-16 10:00", "Europe/Berlin")
  t:expect_sent("crm", "churn.trial_help", {
    customer = "42", trial_end = "2026-01-19T12:00:00Z", features = 1, sign_ins = 1,
  })
  t:advance("10 days")
  t:expect_nothing()
end)

test("who has found their way is left to it", function(t)
  begin(t, "2026-01-19T12:00:00Z")
  for _, feature in ipairs { "board", "report", "export" } do
    t:event("Signed In")
    t:event("Feature Used", { feature = feature })
  end
  t:at("2026-01-17T10:00:00Z")
  t:expect_ended("skipped")
  t:expect_nothing()
end)

test("much in one visit is no way found, and many visits to one thing neither", function(t)
  begin(t, "2026-01-19T12:00:00Z")
  t:event("Signed In")
  for _, feature in ipairs { "board", "report", "export" } do t:event("Feature Used", { feature = feature }) end
  begin(t, "2026-01-19T12:00:00Z", "ada")
  for _ = 1, 5 do t:event("Signed In", {}, { user = "ada" }) end
  for _, feature in ipairs { "board", "report" } do t:event("Feature Used", { feature = feature }, { user = "ada" }) end
  t:at("2026-01-17T10:00:00Z")
  t:expect_sent("crm", "churn.trial_help", { customer = "42", features = 3, sign_ins = 1 })
  t:expect_sent("crm", "churn.trial_help", { customer = "ada", features = 2, sign_ins = 5 })
  t:expect_nothing()
end)

test("three things in two visits are enough", function(t)
  begin(t, "2026-01-19T12:00:00Z")
  for _ = 1, 2 do t:event("Signed In") end
  for _, feature in ipairs { "board", "report", "export" } do t:event("Feature Used", { feature = feature }) end
  t:at("2026-01-17T10:00:00Z")
  t:expect_nothing()
end)

test("a trial that is made longer is helped later", function(t)
  begin(t, "2026-01-19T12:00:00Z")
  t:advance("5 days")
  begin(t, "2026-01-29T12:00:00Z")
  t:at("2026-01-26T09:59:00Z")
  t:expect_nothing()
  t:at("2026-01-26T10:00:00Z")
  t:expect_sent("crm", "churn.trial_help", { trial_end = "2026-01-29T12:00:00Z" })
  t:expect_nothing()
end)

test("who pays or ends the trial needs no help; an invoice of nothing is no payment", function(t)
  begin(t, "2026-01-19T12:00:00Z")
  begin(t, "2026-01-19T12:00:00Z", "ada")
  begin(t, "2026-01-19T12:00:00Z", "bob")
  t:event("Trial Converted", { subscription = "sub_1" })
  t:expect_ended("goal")
  t:event("Trial Ended", {}, { user = "ada" })
  t:event("invoice.paid", { id = "in_2", amount_paid = 0 }, { user = "bob" })
  t:advance("20 days")
  t:expect_sent("crm", "churn.trial_help", { customer = "bob" })
  t:expect_nothing()
end)

test("a trial of two days is helped at once, one that is over not at all, and odd dates are told", function(t)
  begin(t, "2026-01-07T12:00:00Z")
  t:expect_sent("crm", "churn.trial_help", { features = 0 })
  begin(t, "2025-12-31T12:00:00Z", "ada")
  t:expect_verdict("skipped")
  begin(t, "next week", "bob")
  t:expect_verdict("skipped")
  t:advance("30 days")
  t:expect_nothing()
end)
