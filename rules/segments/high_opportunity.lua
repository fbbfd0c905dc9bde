-- Customers who have use for more, by upsell/opportunity, and whom somebody looks after.
return segment {
  title = "Has use for more, and an owner",
  when  = function(customer)
    return customer.traits.opportunity_band == "high" and customer.traits.owner ~= nil
      and customer.traits.churned ~= true
  end,
}
