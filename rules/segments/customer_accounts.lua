-- Accounts that have a plan and have not left.
return segment {
  title = "Account with a plan that has not left",
  per   = "account",
  when  = function(customer) return customer.traits.plan ~= nil and customer.traits.churned ~= true end,
}
