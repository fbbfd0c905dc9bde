rules { "certificates/issue" }

local function attend(t, id, attended, minutes)
  t:event("Event Attended", {
    event_id = id, minutes = minutes or 50, attended = attended ~= false, ended_at = "2026-01-05T10:00:00Z",
  })
end

test("all sessions together earn one certificate with all their minutes", function(t)
  t:identify { name = "Ada" }
  attend(t, "rules-a")
  attend(t, "rules-c")
  t:expect_state { series = "rules-2026=rules-a%3D50%0Arules-c%3D50%0A\n" }
  t:expect_nothing()
  attend(t, "rules-b", true, 45)
  t:expect_sent("learning", "certificate.issue", { certificate_id = "series/rules-2026/42", minutes = 145, version = 1 })
  t:expect_emitted("Certificate Earned", {
    person = "42", name = "Ada", kind = "series", achievement = "rules-2026", title = "Rules from first to last",
    minutes = 145, earned_at = "2026-01-05T10:00:00Z",
  })
end)

test("three of four are enough where the table says so", function(t)
  for _, id in ipairs { "mentors-d", "mentors-a", "mentors-b" } do attend(t, id) end
  t:expect_emitted("Certificate Earned", { achievement = "mentors-2026", valid_days = 365, minutes = 150 })
end)

test("a session counts once, and one that was hardly attended not at all", function(t)
  attend(t, "rules-a")
  attend(t, "rules-a")
  attend(t, "rules-b", false)
  t:expect_verdict("not matched")
  attend(t, "rules-c")
  t:expect_state { series = "rules-2026=rules-a%3D50%0Arules-c%3D50%0A\n" }
  attend(t, "rules-b")
  t:expect_emitted("Certificate Earned", { minutes = 150 })
end)

test("a session told again afterwards is the same achievement, which the register knows", function(t)
  for _, id in ipairs { "rules-a", "rules-b", "rules-c", "rules-c" } do attend(t, id) end
  t:expect_sent("learning", "certificate.issue", { version = 1 })
  t:expect_nothing()
  t:expect_emitted("Certificate Earned", { achievement = "rules-2026", minutes = 150 })
  t:expect_emitted("Certificate Earned", { achievement = "rules-2026", minutes = 150 })
end)

test("sessions of no series and without a name count for nothing", function(t)
  attend(t, "w7")
  t:expect_verdict("skipped", "belongs to no series")
  t:event("Event Attended", { attended = true, minutes = "many" })
  t:expect_verdict("skipped", "belongs to no series")
  t:event("Event Attended", { event_id = "rules-a", attended = "yes" })
  t:expect_verdict("not matched")
end)
