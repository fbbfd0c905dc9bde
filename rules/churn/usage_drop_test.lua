local function weeks(t, number, uses)
  for _ = 1, number * 7 do
    for _ = 1, uses // 7 do t:event("Feature Used", { feature = "board" }) end
    t:advance("1 day")
  end
end

test("who stops is asked before the week is over, with both numbers", function(t)
  t:identify { plan = "team", owner = "bob" }
  weeks(t, 9, 21)
  t:expect_nothing()
  t:advance("5 days")
  t:expect_sent("crm", "churn.usage_drop", { customer = "42", owner = "bob", used = 6, usual = 21 })
  t:advance("20 days")
  t:expect_nothing()
end)

test("a drop, a return and a drop again within 30 days are asked about once", function(t)
  t:identify { plan = "team" }
  weeks(t, 9, 21)
  t:advance("6 days")
  t:expect_sent("crm", "churn.usage_drop")
  weeks(t, 1, 21)
  t:advance("6 days")
  t:expect_verdict("not again")
  t:expect_nothing()
  weeks(t, 4, 21)
  t:advance("6 days")
  t:expect_sent("crm", "churn.usage_drop")
end)

test("a quiet weekend is no drop", function(t)
  t:identify { plan = "team" }
  for _ = 1, 10 do
    for _ = 1, 5 do
      for _ = 1, 4 do t:event("Feature Used", { feature = "board" }) end
      t:advance("1 day")
    end
    t:advance("2 days")
  end
  t:expect_nothing()
end)

test("while a payment fails nobody is asked, and who has left never", function(t)
  t:identify { plan = "team", payment_failing = true }
  weeks(t, 9, 21)
  t:advance("6 days")
  t:expect_verdict("skipped", "a payment is failing")
  t:identify({ plan = "team", churned = true }, { user = "ada" })
  for _ = 1, 100 do t:event("Feature Used", {}, { user = "ada" }) end
  t:advance("30 days")
  t:expect_nothing()
end)
