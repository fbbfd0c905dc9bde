-- An account leaves with the subscription of its people, and comes back with one: its health is frozen meanwhile, too.
-- Reads "Customer Churned" and "Customer Returned" of the account, made by churn/churned.
return rule {
  title    = "Know which accounts have left",
  on       = { "Customer Churned", "Customer Returned" },
  per      = "account",
  priority = 100,
  owner    = "success",
  run = function(event, customer)
    local left = event.name == "Customer Churned"
    check((customer.traits.churned == true) ~= left, "known already")
    set { churned = left }
  end,
}
