rules { "churn/account_churned", "churn/trial_ending" }

local function subscription(t, what, id, more, options)
  local data = { id = id, status = what == "deleted" and "canceled" or "active" }
  for name, value in pairs(more or {}) do data[name] = value end
  t:event("customer.subscription." .. what, data, options)
end

test("the end of the last subscription is the end, with what was known before it", function(t)
  t:identify { plan = "team", health = 38, health_band = "risk" }
  subscription(t, "created", "sub_1")
  subscription(t, "deleted", "sub_1", { cancellation_details = { reason = "cancellation_requested" } })
  t:expect_traits { churned = true, health = 38, health_band = "risk" }
  t:expect_emitted("Customer Churned", {
    subscription = "sub_1", reason = "cancellation_requested", health = 38, band = "risk",
  })
  t:expect_verdict("ran", "left")
end)

test("who has another subscription has not left", function(t)
  subscription(t, "created", "sub_1")
  subscription(t, "created", "sub_2")
  subscription(t, "updated", "sub_2")
  subscription(t, "deleted", "sub_1")
  t:expect_verdict("ran", "another subscription lives on")
  t:expect_traits { churned = null }
  subscription(t, "deleted", "sub_2")
  t:expect_traits { churned = true }
end)

test("who comes back is a customer again, and may leave again", function(t)
  subscription(t, "created", "sub_1")
  subscription(t, "deleted", "sub_1")
  t:expect_emitted("Customer Churned")
  t:advance("60 days")
  subscription(t, "created", "sub_2", { status = "incomplete" })
  t:expect_verdict("skipped", "does not live")
  subscription(t, "updated", "sub_2")
  t:expect_traits { churned = false }
  t:expect_emitted("Customer Returned", { subscription = "sub_2" })
  t:expect_state { live = 1 }
  subscription(t, "deleted", "sub_2")
  t:expect_emitted("Customer Churned", { subscription = "sub_2" })
end)

test("a trial that was not taken up is no customer lost, a customer who leaves after one is", function(t)
  subscription(t, "deleted", "sub_1", { trial_end = 1768000000, ended_at = 1768000000 })
  t:expect_verdict("ran", "a trial that was not taken up")
  t:expect_traits { churned = null }
  subscription(t, "deleted", "sub_2", { trial_end = 1768000000, ended_at = 1778000000 })
  t:expect_traits { churned = true }
end)

test("a trial that becomes active is converted, once", function(t)
  subscription(t, "created", "sub_1", { status = "trialing" })
  subscription(t, "updated", "sub_1", { status = "trialing" })
  subscription(t, "updated", "sub_1")
  t:expect_emitted("Trial Converted", { subscription = "sub_1" })
  subscription(t, "updated", "sub_1")
  t:expect_verdict("ran", "a customer")
  subscription(t, "deleted", "sub_1")
  t:expect_traits { churned = true }
end)

test("an end that is told twice is told of once", function(t)
  subscription(t, "deleted", "sub_1")
  subscription(t, "deleted", "sub_1")
  t:expect_verdict("ran", "had left before")
end)

test("the account leaves and comes back with it, and odd fields break nothing", function(t)
  subscription(t, "created", "sub_1", {}, { user = "ada", account = "acme" })
  subscription(t, "deleted", "sub_1", { cancellation_details = "none", trial_end = "soon" }, { user = "ada" })
  t:expect_traits({ churned = true }, { account = "acme" })
  subscription(t, "created", "sub_2", {}, { user = "ada" })
  t:expect_traits({ churned = false }, { account = "acme" })
  t:event("customer.subscription.deleted", {}, { user = "bob" })
  t:expect_verdict("no key")
end)

test("a subscription that begins without a trial converts none", function(t)
  t:event("Trial Started", { trial_end_date = "2026-01-19T12:00:00Z" })
  subscription(t, "created", "sub_1")
  t:expect_waiting { rule = "churn/trial_ending" }
  subscription(t, "created", "sub_2", { status = "trialing" })
  t:expect_waiting { rule = "churn/trial_ending" }
  subscription(t, "updated", "sub_2")
  t:expect_ended("goal", { rule = "churn/trial_ending" })
end)

test("an update that comes after the end brings nobody back", function(t)
  subscription(t, "created", "sub_1")
  subscription(t, "deleted", "sub_1")
  t:expect_emitted("Customer Churned")
  subscription(t, "updated", "sub_1")
  t:expect_verdict("skipped", "ended for good", { rule = "churn/churned" })
  t:expect_traits { churned = true }
end)

test("who has become a customer at the end of a trial and leaves on the same day is a customer lost", function(t)
  subscription(t, "created", "sub_1", { status = "trialing" })
  subscription(t, "updated", "sub_1")
  t:expect_emitted("Trial Converted")
  subscription(t, "deleted", "sub_1", { trial_end = 1768000000, ended_at = 1768010000 })
  t:expect_traits { churned = true }
end)
