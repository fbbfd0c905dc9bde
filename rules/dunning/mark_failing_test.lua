test("a failed payment is remembered, for other rules to see", function(t)
  t:event("invoice.payment_failed", { invoice = "in_1" })
  t:expect_traits { payment_failing = true }
  t:expect_nothing()
end)

test("other customers are not concerned, and other traits stay", function(t)
  t:identify { plan = "team" }
  t:event("invoice.payment_failed", { invoice = "in_1" })
  t:event("invoice.payment_failed", {}, { user = "ada" })
  t:expect_traits({ plan = "team", payment_failing = true }, { user = "42" })
  t:expect_traits({ plan = null }, { user = "ada" })
  t:expect_traits({ payment_failing = null }, { user = "bob" })
end)
