-- A trial ends in three days, and the person has not found their way yet: offer help at ten in the morning on their
-- clock, while there is time to use it. Whoever has found their way needs no help, and whoever pays already none
-- either.
-- Reads "Trial Started" { trial_end_date } (a second one moves the date), "Trial Ended", "Feature Used" { feature },
-- "Signed In", and "Trial Converted", which churn/churned makes: an invoice of 0 at the beginning of a trial is no
-- payment. What counts as having found the way stands in the next line.
local enough_features, enough_sign_ins = 3, 2

return rule {
  title    = "Help through the last days of a trial that was hardly used",
  on       = before("data.trial_end_date", { days = 3, at = "10:00" }, {
    event = "Trial Started", moved = "Trial Started", cancelled = "Trial Ended",
  }),
  late     = "send",
  topic    = "care",
  hold_out = 10,
  goal     = { event = "Trial Converted", within = "14 days" },
  owner    = "success",
  run = function(event, customer, trial_end)
    local features = distinct("Feature Used", "data.feature", "60 days")
    local sign_ins = count("Signed In", "60 days")
    check(features < enough_features or sign_ins < enough_sign_ins, "they have found their way")
    send("crm", "churn.trial_help", {
      customer = customer.id, trial_end = trial_end, features = features, sign_ins = sign_ins,
    })
  end,
}
