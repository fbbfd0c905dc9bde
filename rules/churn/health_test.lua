local function live(t, days, uses)
  local names = { "search", "board", "report", "chart", "map", "feed" }
  for number = 1, days do
    t:event("Signed In")
    for place = 1, uses do t:event("Feature Used", { feature = names[(number + place) % 6 + 1] }) end
    t:advance("1 day")
  end
end

test("who does what they always did is well", function(t)
  t:identify { plan = "team" }
  live(t, 70, 2)
  t:expect_traits { health = 100, health_band = "good", health_reasons = {} }
  t:expect_nothing()
end)

test("who does a third of what is usual falls, and the reason has both numbers", function(t)
  t:identify { plan = "team" }
  live(t, 90, 2)
  for _ = 1, 30 do
    t:event("Signed In")
    t:advance("1 day")
  end
  t:expect_traits { health_band = "watch" }
  t:expect_emitted("Health Band Changed", { from = null, to = "good" })
  t:expect_emitted("Health Band Changed", { from = "good", to = "watch" })
  t:expect_traits { health_reasons = {
    "-35 usage: 0 uses in 30 days, 61 are usual", "-12 breadth: 0 features in 30 days",
  } }
end)

test("silence and a failing payment bring somebody into risk, with the three heaviest reasons", function(t)
  t:identify { plan = "team" }
  live(t, 90, 2)
  t:event("invoice.payment_failed", { id = "in_1" })
  t:identify { payment_failing = true }
  t:advance("25 days")
  t:expect_traits { health_band = "risk" }
  t:expect_emitted("Health Band Changed", { to = "good" })
  t:expect_emitted("Health Band Changed", { from = "good", to = "watch" })
  t:expect_emitted("Health Band Changed", { from = "watch", to = "risk" })
end)

test("around a border nobody flutters: 69 points keep whoever was good, and make nobody good", function(t)
  for _, who in ipairs { "ada", "bob" } do
    t:identify({ plan = "team" }, { user = who })
    for number = 1, 3 do t:event("invoice.payment_failed", { id = "in_" .. number }, { user = who }) end
  end
  t:identify({ health = 75, health_band = "good" }, { user = "ada" })
  for number = 1, 15 do
    for _, who in ipairs { "ada", "bob" } do
      t:event("Signed In", {}, { user = who })
      t:event("Feature Used", { feature = "f" .. number % 6 }, { user = who })
      if number == 13 then t:event("Ticket Opened", { ticket_id = "t1" }, { user = who }) end
    end
    t:advance("1 day")
  end
  t:expect_traits({ health = 69, health_band = "good" }, { user = "ada" })
  t:expect_traits({ health = 69, health_band = "watch" }, { user = "bob" })
end)

test("somebody new is not judged, and of whom too little is known neither", function(t)
  t:identify { plan = "team" }
  live(t, 13, 1)
  t:advance("20 hours")
  t:expect_verdict("skipped", "too new to judge")
  t:expect_traits { health = null }
  t:identify({ plan = "team" }, { user = "bob" })
  t:advance("30 days")
  t:expect_traits({ health = null }, { user = "bob" })
end)

test("who has left keeps the last score", function(t)
  t:identify { plan = "team" }
  live(t, 70, 2)
  t:identify { churned = true }
  t:advance("60 days")
  t:expect_traits { health = 100, health_band = "good" }
end)

test("the account of a champion hears how the champion is", function(t)
  t:event("Signed In", {}, { user = "ada", account = "acme" })
  t:identify({ plan = "team", champion = true }, { user = "ada" })
  for _ = 1, 20 do
    t:event("Signed In", {}, { user = "ada" })
    t:event("Feature Used", { feature = "board" }, { user = "ada" })
    t:advance("1 day")
  end
  t:expect_emitted("Champion Band Changed", { user = "ada", band = "good" })
end)

test("ratings and features that are nonsense break nothing", function(t)
  t:identify { plan = "team", access = 7 }
  live(t, 15, 1)
  t:event("Ticket Solved", { ticket_id = "t1", rating = "awful" })
  t:event("Feature Used", { feature = {} })
  t:advance("1 day")
  t:expect_traits { health_band = "watch" }
end)
