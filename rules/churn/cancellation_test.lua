local function begin(t, reason) t:event("Cancellation Started", { subscription = "sub_1", reason = reason }) end

test("whoever begins to cancel gets the offer that fits the reason", function(t)
  begin(t, "too_expensive")
  t:expect_sent("crm", "churn.save_offer", {
    customer = "42", subscription = "sub_1", reason = "too_expensive", offer = "discount",
    text = "20 % less for three months",
  })
  t:expect_traits { last_offer = "save" }
  t:expect_nothing()
end)

test("the next paid invoice is the goal, and an end is an end", function(t)
  begin(t, "not_using")
  t:expect_sent("crm", "churn.save_offer", { offer = "pause" })
  t:advance("20 days")
  t:event("invoice.paid", { id = "in_1" })
  t:expect_ended("goal")
  t:event("Cancellation Started", { subscription = "sub_2", reason = "not_using" }, { user = "ada" })
  t:expect_sent("crm", "churn.save_offer")
  t:event("Customer Churned", {}, { user = "ada" })
  t:expect_ended("left all the same")
  t:event("Cancellation Started", { subscription = "sub_3", reason = "not_using" }, { user = "bob" })
  t:expect_sent("crm", "churn.save_offer")
  t:advance("35 days")
  t:expect_ended("stayed, or has not paid yet")
end)

test("the offer is made once and never again", function(t)
  begin(t, "too_expensive")
  t:expect_sent("crm", "churn.save_offer")
  t:advance("365 days")
  begin(t, "not_using")
  t:expect_verdict("not again")
  t:expect_nothing()
end)

test("a reason without an offer does not spend it", function(t)
  begin(t, "moving to the moon")
  t:expect_verdict("skipped", "there is no offer for this reason")
  begin(t, nil)
  t:expect_verdict("skipped", "there is no offer for this reason")
  begin(t, 7)
  t:expect_verdict("skipped", "there is no offer for this reason")
  begin(t, "missing_feature")
  t:expect_sent("crm", "churn.save_offer", { offer = "call" })
end)

test("while a payment fails there is no offer, and none after the end", function(t)
  t:identify { payment_failing = true }
  begin(t, "too_expensive")
  t:expect_verdict("skipped", "a payment is failing")
  t:identify { payment_failing = false, churned = true }
  begin(t, "too_expensive")
  t:expect_verdict("skipped", "the customer has left")
  t:expect_nothing()
end)
