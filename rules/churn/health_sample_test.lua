test("on the first of the month everyone's band is noted, and who leaves within 28 days is told of with it", function(t)
  t:identify({ plan = "team", health_band = "risk" }, { user = "ada" })
  t:identify({ plan = "team", health_band = "good" }, { user = "bob" })
  t:at("2026-02-01T07:00:01Z")
  t:expect_emitted("Health Sampled", { band = "risk", cohort = "2026-02" })
  t:expect_emitted("Health Sampled", { band = "good", cohort = "2026-02" })
  t:identify({ health_band = "good" }, { user = "ada" })
  t:advance("20 days")
  t:event("Customer Churned", {}, { user = "ada" })
  t:expect_emitted("Sampled Customer Churned", { band = "risk", cohort = "2026-02" })
  t:expect_ended("left", { user = "ada" })
  t:advance("8 days 1 hour")
  t:expect_ended("stayed", { user = "bob" })
  t:expect_nothing()
end)

test("an end after 28 days belongs to the next sample", function(t)
  t:identify { plan = "team", health_band = "watch" }
  t:at("2026-02-01T08:00:00Z")
  t:expect_emitted("Health Sampled", { cohort = "2026-02" })
  t:at("2026-03-01T08:00:00Z")
  t:expect_emitted("Health Sampled", { cohort = "2026-03" })
  t:event("Customer Churned", {})
  t:expect_emitted("Sampled Customer Churned", { cohort = "2026-03" })
end)

test("one month is one month in every zone", function(t)
  t:identify { plan = "team", health_band = "good", timezone = "Pacific/Auckland" }
  t:at("2026-02-01T07:00:01Z")
  t:expect_emitted("Health Sampled", { cohort = "2026-02" })
end)

test("who was never judged, has no plan or has left is in no sample", function(t)
  t:identify { plan = "team" }
  t:identify({ health_band = "good" }, { user = "ada" })
  t:identify({ plan = "team", health_band = "good", churned = true }, { user = "bob" })
  t:at("2026-02-01T08:00:00Z")
  t:expect_not_waiting { user = "ada" }
  t:expect_not_waiting { user = "bob" }
  t:expect_not_waiting { user = "42" }
end)
