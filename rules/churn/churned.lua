-- Knows who has left and who came back, and freezes what is known: nobody's health is judged and nothing is offered
-- after the end, so that the last score before it can be held against what happened. Sends nothing to anybody.
-- Reads customer.subscription.created, .updated and .deleted as Stripe sends them. Somebody with another live
-- subscription has not left, and a trial that was not taken up is no customer lost.
-- Sets the trait churned; emits "Customer Churned" and "Customer Returned", also about the account, where there is
-- one, and "Trial Converted" when a trial has become a customer.
local day_s = 86400

local function is_trial(data)
  return type(data.trial_end) == "number" and type(data.ended_at) == "number"
    and data.ended_at <= data.trial_end + day_s
end

return rule {
  title    = "Know who has left and who came back",
  on       = { "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted" },
  key      = "data.id",
  priority = 100,
  owner    = "success",
  run = function(event, customer)
    local id, account = "live " .. event.data.id, event.account or customer.account
    local traits = customer.traits
    if event.name ~= "customer.subscription.deleted" then
      check(state.ended ~= event.data.id, "told late: this subscription has ended for good")
      check(event.data.status == "active" or event.data.status == "trialing", "the subscription does not live")
      if not state[id] then state[id], state.live = event.data.status, (state.live or 0) + 1 end
      if state[id] == "trialing" and event.data.status == "active" then
        state[id] = "active"
        emit("Trial Converted", { subscription = event.data.id })
      end
      if traits.churned ~= true then return finish("a customer") end
      set { churned = false }
      local told = { subscription = event.data.id }
      emit("Customer Returned", told)
      if account then emit("Customer Returned", told, { subject = "account:" .. account }) end
      return finish("came back")
    end
    local was = state[id]
    state.ended = event.data.id
    if was then state[id], state.live = nil, state.live - 1 end
    if (state.live or 0) > 0 then return finish("another subscription lives on") end
    if is_trial(event.data) and was ~= "active" then return finish("a trial that was not taken up") end
    if traits.churned == true then return finish("had left before") end
    set { churned = true }
    local details = event.data.cancellation_details
    local told = {
      subscription = event.data.id, reason = type(details) == "table" and details.reason or nil, health = traits.health,
      band = traits.health_band,
    }
    emit("Customer Churned", told)
    if account then emit("Customer Churned", told, { subject = "account:" .. account }) end
    finish("left")
  end,
}
