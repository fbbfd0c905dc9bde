-- Everyone who has a plan and has not left: whom the morning's scores are about.
return segment {
  title = "Has a plan and has not left",
  when  = function(customer) return customer.traits.plan ~= nil and customer.traits.churned ~= true end,
}
