-- An account has come to be at risk, or its champion has left: make a task for its owner, with the reasons, and see
-- that it is done. After half of the time a reminder, at its end an escalation, three days later the end. "Task
-- Done" stops it; so does an account that gets well by itself, and one that leaves.
-- Reads "Health Band Changed" { to, health, reasons } and "Champion Left" { user } of the account, "Task Done" {
-- task_id }, "Customer Churned", and the account's traits owner and timezone. For people without an account copy it
-- with per = "user".
local half, full = 12, 24          -- hours of working days
local escalate_to = "head of success"
local nobody = "success"           -- who gets the task where an account has no owner
local hour = 3600 * 1000

-- So many hours from now on, with Saturdays and Sundays left out; the days are those of UTC.
local function working_hours(from, hours)
  local at, left = from, hours
  while left > 0 do
    at = at + hour
    local weekday = (at // (24 * hour) + 3) % 7   -- 0 is Monday
    if weekday < 5 then left = left - 1 end
  end
  return at
end

local function ends(task)
  return function(other)
    if other.name == "Task Done" then return other.data.task_id == task end
    return other.data.to == "good"
  end
end

return rule {
  title   = "Give an account at risk to its owner, and see that it is cared for",
  on      = { "Health Band Changed", "Champion Left" },
  per     = "account",
  when    = function(event) return event.name == "Champion Left" or event.data.to == "risk" end,
  again   = "14 days",
  stop_on = "Customer Churned",
  class   = "transactional",
  owner   = "success",
  run = function(event, customer)
    check(customer.traits.churned ~= true, "the account has left")
    local task, owner = "at-risk-" .. event.id, customer.traits.owner or nobody
    local reminded_at, due_at = working_hours(now(), half), working_hours(now(), full)
    local reasons = event.data.reasons or { "the champion " .. tostring(event.data.user) .. " has left" }
    send("crm", "churn.task", {
      task_id = task, account = customer.id, owner = owner, health = customer.traits.health, reasons = reasons,
      due_at = due_at,
    })
    local done = nil
    for step, till in ipairs { reminded_at, due_at, due_at + 72 * hour } do
      local minutes = math.max(1, math.tointeger((till - now()) // 60000))
      done = wait_any({ "Task Done", "Health Band Changed" }, { within = minutes .. " min", match = ends(task) })
      if done then break end
      if step == 1 then send("crm", "churn.task_reminder", { task_id = task, account = customer.id, owner = owner }) end
      if step == 2 then
        send("crm", "churn.task_escalated", { task_id = task, account = customer.id, owner = owner, to = escalate_to })
      end
    end
    if not done then return finish("nobody cared for it") end
    if done.name == "Task Done" then return finish("cared for") end
    send("crm", "churn.task_closed", { task_id = task, account = customer.id, reason = "the account is well again" })
    finish("got well by itself")
  end,
}
