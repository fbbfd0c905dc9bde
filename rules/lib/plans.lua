-- The plans that are sold, from small to large, and what comes next. Edit here, not in the rules.
local plans = { "free", "team", "business", "enterprise" }

local next_plan = {}
for position, plan in ipairs(plans) do next_plan[plan] = plans[position + 1] end

return { plans = plans, next_plan = next_plan }
