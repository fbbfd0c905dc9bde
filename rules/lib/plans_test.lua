local plans = use("lib/plans")

test("each plan leads to a larger one, and the largest to none", function(t)
  local last = 0
  for plan, row in pairs(plans.rows) do
    local larger = plans.next_plan[plan]
    if larger then
      assert(plans.rank(larger) == row.rank + 1, plan)
    else
      last = last + 1
    end
  end
  assert(last == 1, "one plan is the largest")
  assert(plans.next_plan.enterprise == nil)
end)

test("levels are 80 and 100 percent, to the unit", function(t)
  assert(plans.level(79, 100) == nil and plans.level(80, 100) == 80)
  assert(plans.level(99, 100) == 80 and plans.level(100, 100) == 100 and plans.level(250, 100) == 100)
  assert(plans.level(4, 5) == 80 and plans.level(3, 5) == nil)
end)

test("numbers that are no numbers come to no level", function(t)
  assert(plans.level("80", 100) == nil and plans.level(80, nil) == nil and plans.level(80, 0) == nil)
  assert(plans.level(-1, 100) == nil and plans.level(80, -100) == nil)
  assert(plans.limit(nil, "seats") == nil and plans.limit("unknown", "seats") == nil and plans.limit(7, "seats") == nil)
  assert(plans.limit("enterprise", "seats") == nil, "an empty cell is no limit")
end)

test("the plan that has everything wanted is found, and none that is smaller than the present one", function(t)
  assert(plans.plan_with({ "export" }, "free") == "team")
  assert(plans.plan_with({ "export", "sso" }, "free") == "business")
  assert(plans.plan_with({ "export" }, "team") == nil)
  assert(plans.plan_with({ "teleport" }, "free") == nil)
end)

test("what a smaller plan lacks is listed", function(t)
  local lost = plans.lost("business", "team")
  assert(#lost == 3 and lost[1] == "audit" and lost[2] == "roles" and lost[3] == "sso")
  assert(#plans.lost("team", "team") == 0 and #plans.lost("team", "business") == 0 and #plans.lost(nil, nil) == 0)
end)

test("a year saves money where it does", function(t)
  assert(plans.yearly_saving("team") == 9800)
  assert(plans.yearly_saving("free") == nil and plans.yearly_saving("enterprise") == nil)
end)
