test("who has a plan is a customer, until they leave", function(t)
  t:identify { name = "Ada" }
  t:expect_not_in("customers")
  t:identify { plan = "free" }
  t:expect_in("customers")
  t:identify { churned = true }
  t:expect_not_in("customers")
  t:identify { churned = false }
  t:expect_in("customers")
end)
