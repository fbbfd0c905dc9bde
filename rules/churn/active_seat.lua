-- Tells an account that one of its people was here today: once a day for each, however often they sign in. Accounts
-- count their seats and their days of work by it (churn/account_health). Sends nothing to anybody.
-- Reads "Signed In" of people who belong to an account.
return rule {
  title = "Tell the account that a seat is in use",
  on    = "Signed In",
  again = "20 hours",
  owner = "success",
  run = function(event, customer)
    local account = event.account or customer.account
    check(account, "belongs to no account")
    emit("Seat Active", { user = customer.id }, { subject = "account:" .. account })
  end,
}
