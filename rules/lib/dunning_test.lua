local settings = use("lib/dunning")

test("the numbers go together", function(t)
  assert(settings.end_action == "cancel" or settings.end_action == "keep")
  assert(settings.most_tries <= 10, "ten tries are what every network allows")
  assert(settings.longest_days >= settings.vague_days[#settings.vague_days])
  for _, hour in ipairs(settings.hours) do assert(hour >= 9 and hour <= 18, "tries are made between 8:00 and 20:00") end
  local before = 0
  for _, step in ipairs(settings.access) do
    assert(step.days > before and (step.access == "read_only" or step.access == "suspended"))
    before = step.days
  end
  assert(settings.hours_between_tries >= 24, "the networks count a second try within a day against you")
end)
