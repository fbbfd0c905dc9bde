local plans = use("lib/plans")

test("each plan leads to the next one, and the largest to none", function(t)
  assert(plans.next_plan.free == "team")
  for position, plan in ipairs(plans.plans) do
    assert(plans.next_plan[plan] == plans.plans[position + 1], plan)
  end
  assert(plans.next_plan.enterprise == nil)
end)
