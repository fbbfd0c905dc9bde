test("a high opportunity with an owner is in, until the band falls, the owner goes or the customer leaves", function(t)
  t:identify { opportunity_band = "high" }
  t:expect_not_in("high_opportunity")
  t:identify { owner = "bob" }
  t:expect_in("high_opportunity")
  t:identify { opportunity_band = "some" }
  t:expect_not_in("high_opportunity")
  t:identify { opportunity_band = "high", churned = true }
  t:expect_not_in("high_opportunity")
end)
