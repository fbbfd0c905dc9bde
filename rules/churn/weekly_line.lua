-- On Monday morning asks churn/score_check for its sentence about the health score.
return rule {
  title = "Ask every Monday how good the health score is",
  on    = every("monday 08:00"),
  owner = "success",
  run = function(event)
    emit("Health Report Asked", {}, { subject = "report:health" })
  end,
}
