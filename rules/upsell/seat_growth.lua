-- A team grows: offer the account a plan with more room, before somebody has to share a login.
-- For accounts. Reads "Account Added User" and "Account Removed User" of the account's people, and the account's traits
-- plan and seats (how many it pays for). Whoever came and went again does not count.
local plans  = use("lib/plans")
local offers = use("lib/offers")
local fewest, percent_of_seats = 3, 20

return rule {
  title    = "Offer more room to an account that grows",
  on       = "Account Added User",
  per      = "account",
  again    = "60 days",
  when     = function(event, customer)
    local grown = count("Account Added User", "30 days") - count("Account Removed User", "30 days")
    local seats = type(customer.traits.seats) == "number" and customer.traits.seats or 0
    return grown >= fewest and grown * 100 >= seats * percent_of_seats
  end,
  topic    = "offers",
  priority = 35,
  hold_out = 10,
  goal     = { event = "Subscription Upgraded", within = "14 days" },
  owner    = "growth",
  run = function(event, customer)
    local plan = plans.next_plan[customer.traits.plan]
    check(plan, "there is no larger plan")
    local open = count("Ticket Opened", "30 days") - count("Ticket Solved", "30 days")
    local refusal = offers.account_refusal(
      customer.traits, now(), last("invoice.payment_failed", "60 days"), last("invoice.paid", "60 days"), open)
    if refusal then skip(refusal) end
    local grown = count("Account Added User", "30 days") - count("Account Removed User", "30 days")
    set(offers.made("seat_growth", now()))
    send("crm", "upsell.offer", {
      customer = customer.id, offer = "seat_growth", plan = plan, seats = grown,
      reason = grown .. " more people in 30 days",
    })
  end,
}
