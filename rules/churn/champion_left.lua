-- The person who brought us into a company has left it: tell the account's owner on the same day, while there is still
-- somebody to be introduced to. The account's health is capped from then on (churn/account_health).
-- Reads "Account Removed User" of somebody with the trait champion; the trait owner.
return rule {
  title = "Tell the owner that a champion has left",
  on    = "Account Removed User",
  when  = function(event, customer) return customer.traits.champion == true end,
  class = "transactional",
  owner = "success",
  run = function(event, customer)
    local account = event.account or customer.account
    check(account, "belongs to no account")
    check(customer.traits.churned ~= true, "the customer has left")
    set { champion = false }
    emit("Champion Left", { user = customer.id }, { subject = "account:" .. account })
    send("crm", "churn.champion_left", { customer = customer.id, account = account, owner = customer.traits.owner })
  end,
}
