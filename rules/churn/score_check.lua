-- Does the health score know who leaves? Each month is a cohort: how many were in which band on its first day, and
-- how many of these left within 28 days. The weekly line says it in one sentence, for the newest cohort that is
-- over: "of 40 in risk 9 left (22 %), of 300 in good 2 (1 %)".
-- About the thing "report:health". Reads "Health Sampled" and "Sampled Customer Churned" (made by
-- churn/health_sample) and "Health Report Asked" (made by churn/weekly_line).
local fewest_left = 30      -- below so many the numbers are shown and nothing is concluded
local factor      = 3       -- a score is of use when risk leaves so many times as often as good

local function percent(left, all) return all == 0 and "–" or math.tointeger((left * 100 / all + 0.5) // 1) .. " %" end

local function verdict(risk, risk_left, good, good_left, left)
  if left < fewest_left then return "not enough left to judge the score: " .. left .. " of " .. fewest_left end
  if risk == 0 or good == 0 then return "one of the bands was empty: the borders are worth a look" end
  if risk_left * good >= factor * math.max(1, good_left) * risk then return "the score is of use" end
  return "the score tells too little: the weights are worth a look"
end

return rule {
  title = "Hold the health score against who really left",
  on    = { "Health Sampled", "Sampled Customer Churned", "Health Report Asked" },
  per   = "report",
  owner = "success",
  run = function(event, customer)
    if event.name ~= "Health Report Asked" then
      local cohort, band = event.data.cohort, event.data.band
      check(type(cohort) == "string" and (band == "risk" or band == "watch" or band == "good"),
        "no cohort or no band of ours")
      if cohort > (state.newest or "") then
        for _, one in ipairs { "risk", "watch", "good" } do
          for _, key in ipairs { one, one .. " left" } do
            state["before " .. key], state["now " .. key] = state["now " .. key], 0
          end
        end
        state.before, state.newest = state.newest, cohort
      end
      local which = cohort == state.newest and "now " or cohort == state.before and "before " or nil
      check(which, "a cohort of long ago")
      local key = which .. band .. (event.name == "Sampled Customer Churned" and " left" or "")
      state[key] = (state[key] or 0) + 1
      return finish("counted")
    end
    check(state.before, "no cohort is over yet")
    local n = function(key) return state["before " .. key] or 0 end
    local risk, watch, good = n("risk"), n("watch"), n("good")
    local risk_left, watch_left, good_left = n("risk left"), n("watch left"), n("good left")
    send("crm", "churn.score_check", {
      cohort = state.before, risk = risk, risk_left = risk_left, watch = watch, watch_left = watch_left, good = good,
      good_left = good_left, verdict = verdict(risk, risk_left, good, good_left, risk_left + watch_left + good_left),
      text = "of " .. risk .. " in risk " .. risk_left .. " left (" .. percent(risk_left, risk) .. "), "
        .. "of " .. watch .. " in watch " .. watch_left .. " (" .. percent(watch_left, watch) .. "), "
        .. "of " .. good .. " in good " .. good_left .. " (" .. percent(good_left, good) .. ")",
    })
  end,
}
