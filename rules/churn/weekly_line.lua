-- On Monday morning asks churn/score_check for its sentence about the health score, once there is something to tell of.
return rule {
  title = "Ask every Monday how good the health score is",
  on    = every("monday 08:00", { for_each = "report" }),
  owner = "success",
  run = function(event)
    emit("Health Report Asked", { due = event.data.due })
  end,
}
