local report = { thing = "report:health" }

local function cohort(t, name, counts, left)
  for band, times in pairs(counts) do
    for _ = 1, times do t:event("Health Sampled", { band = band, cohort = name }, report) end
  end
  for band, times in pairs(left) do
    for _ = 1, times do t:event("Sampled Customer Churned", { band = band, cohort = name }, report) end
  end
end

test("the sentence tells, by the band of before, who really left", function(t)
  cohort(t, "2026-02", { risk = 40, watch = 60, good = 300 }, { risk = 9, watch = 3, good = 2 })
  t:event("Health Report Asked", {}, report)
  t:expect_verdict("skipped", "no cohort is over yet")
  cohort(t, "2026-03", { risk = 1, good = 5 }, {})
  t:event("Health Report Asked", {}, report)
  t:expect_sent("crm", "churn.score_check", {
    cohort = "2026-02", risk = 40, risk_left = 9, watch = 60, watch_left = 3, good = 300, good_left = 2,
    text = "of 40 in risk 9 left (23 %), of 60 in watch 3 (5 %), of 300 in good 2 (1 %)",
    verdict = "not enough left to judge the score: 14 of 30",
  })
  t:expect_nothing()
end)

test("with enough who left it says whether the score is of use", function(t)
  cohort(t, "2026-02", { risk = 100, good = 100 }, { risk = 28, good = 4 })
  cohort(t, "2026-03", { risk = 100, good = 100 }, { risk = 20, good = 15 })
  t:event("Health Report Asked", {}, report)
  t:expect_sent("crm", "churn.score_check", { cohort = "2026-02", verdict = "the score is of use" })
  cohort(t, "2026-04", { watch = 1 }, {})
  t:event("Health Report Asked", {}, report)
  t:expect_sent("crm", "churn.score_check", {
    cohort = "2026-03", verdict = "the score tells too little: the weights are worth a look",
  })
  cohort(t, "2026-04", { watch = 100 }, { watch = 40 })
  cohort(t, "2026-05", { watch = 1 }, {})
  t:event("Health Report Asked", {}, report)
  t:expect_sent("crm", "churn.score_check", {
    cohort = "2026-04", verdict = "one of the bands was empty: the borders are worth a look",
    text = "of 0 in risk 0 left (–), of 101 in watch 40 (40 %), of 0 in good 0 (–)",
  })
end)

test("who leaves late still counts for the cohort of before, and an older cohort is passed over", function(t)
  cohort(t, "2026-02", { risk = 2 }, {})
  cohort(t, "2026-03", { risk = 1 }, {})
  cohort(t, "2026-02", {}, { risk = 1 })
  t:event("Health Report Asked", {}, report)
  t:expect_sent("crm", "churn.score_check", { cohort = "2026-02", risk = 2, risk_left = 1 })
  t:event("Sampled Customer Churned", { band = "risk", cohort = "2025-11" }, report)
  t:expect_verdict("skipped", "long ago")
end)

test("bands and cohorts that are none of ours count nowhere", function(t)
  t:event("Health Sampled", { band = "fine", cohort = "2026-02" }, report)
  t:expect_verdict("skipped", "no cohort or no band")
  t:event("Health Sampled", { band = "good" }, report)
  t:expect_verdict("skipped", "no cohort or no band")
  t:event("Health Sampled", {}, report)
  t:expect_verdict("skipped", "no cohort or no band")
  t:expect_nothing()
end)
