rules { "certificates/issue" }

local function earn(t, achievement)
  t:event("Certificate Earned", {
    person = "ada", name = "Adda", kind = "course", achievement = achievement, title = "T",
  },
    { thing = "certificate:course/" .. achievement .. "/ada" })
  t:expect_sent("learning", "certificate.issue", { version = 1, name = "Adda" })
end

local function correct(t, name, user) t:event("Name Corrected", { name = name }, { user = user or "ada" }) end

test("every certificate is drawn again under its id, and later ones have the name", function(t)
  earn(t, "lua-1")
  earn(t, "lua-2")
  correct(t, "  Ada ")
  t:expect_sent("learning", "certificate.issue", {
    certificate_id = "course/lua-1/ada", version = 2, name = "Ada", reason = "name_corrected",
  })
  t:expect_sent("learning", "certificate.issue", { certificate_id = "course/lua-2/ada", version = 2, name = "Ada" })
  t:expect_traits({ name = "Ada" }, { user = "ada" })
  t:expect_nothing()
end)

test("the same correction again draws nothing, another one does", function(t)
  earn(t, "lua-1")
  correct(t, "Ada")
  correct(t, "Ada")
  correct(t, "Ada L.")
  t:expect_sent("learning", "certificate.issue", { version = 2, name = "Ada" })
  t:expect_sent("learning", "certificate.issue", { version = 3, name = "Ada L." })
  t:expect_nothing()
end)

test("someone else's certificates and withdrawn ones stay as they are", function(t)
  earn(t, "lua-1")
  correct(t, "Bob", "bob")
  t:event("Certificate Revoked", { cause = "refund" }, { thing = "certificate:course/lua-1/ada" })
  t:expect_sent("learning", "certificate.revoke")
  correct(t, "Ada")
  t:expect_nothing()
end)

test("what is no name changes nothing", function(t)
  earn(t, "lua-1")
  for _, name in ipairs { "", "   ", ("x"):rep(201), 5, true } do
    correct(t, name)
    t:expect_verdict("skipped", "it is no name", { rule = "certificates/name_corrected" })
  end
  t:event("Name Corrected", {}, { user = "ada" })
  t:expect_verdict("skipped", "it is no name", { rule = "certificates/name_corrected" })
  t:event("Certificate Issued", {}, { user = "ada" })
  t:expect_verdict("skipped", "which certificate", { rule = "certificates/name_corrected" })
  t:expect_nothing()
end)

test("of a hundred certificates the newest ninety are drawn again, and the log says so", function(t)
  for number = 1, 100 do earn(t, "c" .. number) end
  correct(t, "Ada")
  t:expect_logged("ada has 100 certificates; 90 are drawn again")
  for number = 11, 100 do t:expect_sent("learning", "certificate.issue", {
    achievement = "c" .. number, version = 2,
  }) end
  t:expect_nothing()
end)
