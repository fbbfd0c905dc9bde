-- Customers who pay and were hardly here for two weeks. Once inside, it takes four visits to be out again.
return segment {
  title = "Paying, and hardly here",
  when  = function(customer)
    local fewest = state.inside and 4 or 2
    return customer.traits.plan ~= nil and count("session_started", "14 days") < fewest
  end,
}
