rules { "certificates/expires_in_90_days" }

local thing = { thing = "certificate:course/safety-1/ada" }
local earned = {
  person = "ada", name = "Ada", kind = "course", achievement = "safety-1", title = "Safety at work", score = 100,
  earned_at = "2026-01-05T09:00:00Z", valid_days = 365,
}

local function issued(t, version, reason)
  t:expect_sent("learning", "certificate.issue", {
    certificate_id = "course/safety-1/ada", version = version, reason = reason, customer = "ada",
  })
  t:expect_emitted("Certificate Issued", { certificate_id = "course/safety-1/ada", version = version })
end

test("what is earned is drawn once, with everything that drawing needs", function(t)
  t:event("Certificate Earned", earned, thing)
  t:expect_sent("learning", "certificate.issue", {
    certificate_id = "course/safety-1/ada", version = 1, reason = "earned", customer = "ada", name = "Ada",
    kind = "course", achievement = "safety-1", title = "Safety at work", score = 100,
    earned_at = "2026-01-05T09:00:00Z", issued_at = "2026-01-05T09:00:00Z", expires_at = "2027-01-05T09:00:00Z",
  })
  t:expect_emitted("Certificate Issued", { expires_at = "2027-01-05T09:00:00Z", title = "Safety at work" })
  t:event("Certificate Earned", earned, thing)
  t:expect_verdict("skipped", "too early to renew")
  t:expect_nothing()
end)

test("a certificate without an end is never drawn twice", function(t)
  local forever = {
    person = "ada", kind = "attendance", achievement = "w7", title = "Rules", minutes = 48, credit = "CPE", credits = 1,
  }
  t:event("Certificate Earned", forever, { thing = "certificate:attendance/w7/ada" })
  t:expect_sent("learning", "certificate.issue", { expires_at = null, minutes = 48, credit = "CPE", credits = 1 })
  t:advance("900 days")
  t:event("Certificate Earned", forever, { thing = "certificate:attendance/w7/ada" })
  t:expect_verdict("skipped", "has this certificate already")
  t:expect_nothing()
end)

test("earning it again within ninety days of its end renews it without taking a day away", function(t)
  t:event("Certificate Earned", earned, thing)
  issued(t, 1, "earned")
  t:at("2026-10-07T09:00:00Z")
  t:event("Certificate Earned", earned, thing)
  t:expect_verdict("skipped", "too early to renew")
  t:at("2026-12-05T09:00:00Z")
  t:event("Certificate Earned", earned, thing)
  t:expect_sent("learning", "certificate.issue", {
    version = 2, reason = "renewed", expires_at = "2028-01-05T09:00:00Z",
  })
  t:at("2028-03-01T00:00:00Z")
  t:event("Certificate Earned", earned, thing)
  t:expect_sent("learning", "certificate.issue", {
    version = 3, reason = "renewed", expires_at = "2029-03-01T00:00:00Z",
  })
  for _ = 1, 2 do t:expect_sent("crm", "certificate.renewal", {}, { user = "ada" }) end
  t:expect_nothing()
end)

test("a corrected name is a new version of the same certificate, the same name is none", function(t)
  t:event("Certificate Earned", earned, thing)
  issued(t, 1, "earned")
  t:event("Certificate Name Corrected", { name = "Ada L." }, thing)
  t:expect_sent("learning", "certificate.issue", {
    version = 2, reason = "name_corrected", name = "Ada L.", score = 100, earned_at = "2026-01-05T09:00:00Z",
    expires_at = "2027-01-05T09:00:00Z",
  })
  t:event("Certificate Name Corrected", { name = "Ada L." }, thing)
  t:expect_verdict("skipped", "nothing to correct")
  t:event("Certificate Name Corrected", { name = "Bob" }, { thing = "certificate:course/lua-1/bob" })
  t:expect_verdict("skipped", "nothing to correct")
  t:expect_nothing()
end)

test("a suspended certificate comes back for its own cause only, with the name of then", function(t)
  t:event("Certificate Earned", earned, thing)
  issued(t, 1, "earned")
  t:event("Certificate Suspended", { cause = "fraud", reason = "the payment is disputed" }, thing)
  t:expect_sent("learning", "certificate.revoke", {
    certificate_id = "course/safety-1/ada", version = 2, customer = "ada", status = "suspended", reason = "the payment is disputed",
  })
  t:expect_emitted("Certificate Withdrawn", { certificate_id = "course/safety-1/ada", status = "suspended" })
  t:expect_ended("stopped", { user = "ada", rule = "certificates/expires_in_90_days" })
  t:event("Certificate Suspended", { cause = "fraud" }, thing)
  t:expect_verdict("skipped", "withdrawn already")
  t:event("Certificate Name Corrected", { name = "Ada L." }, thing)
  t:event("Certificate Reinstated", { cause = "refund" }, thing)
  t:expect_verdict("skipped", "not withdrawn for that cause")
  t:expect_nothing()
  t:event("Certificate Reinstated", { cause = "fraud" }, thing)
  t:expect_sent("learning", "certificate.issue", { version = 3, reason = "reinstated", name = "Ada L." })
  t:expect_nothing()
end)

test("revoked wins over suspended, and earning it again does not bring it back", function(t)
  t:event("Certificate Earned", earned, thing)
  issued(t, 1, "earned")
  t:event("Certificate Suspended", { cause = "fraud" }, thing)
  t:event("Certificate Revoked", { cause = "refund", reason = "the order was refunded" }, thing)
  t:expect_sent("learning", "certificate.revoke", { status = "suspended", version = 2 })
  t:expect_sent("learning", "certificate.revoke", { status = "revoked", version = 3 })
  t:event("Certificate Reinstated", { cause = "fraud" }, thing)
  t:at("2027-02-01T00:00:00Z")
  t:event("Certificate Earned", earned, thing)
  t:expect_ended("earned, and kept back: refund")
  t:expect_nothing()
end)

test("what is revoked before it is earned is not drawn, until it is bought again", function(t)
  t:event("Certificate Revoked", { cause = "refund" }, thing)
  t:expect_ended("nothing was issued, and nothing will be")
  t:event("Certificate Earned", earned, thing)
  t:expect_nothing()
  t:event("Certificate Reinstated", { cause = "refund" }, thing)
  issued(t, 1, "reinstated")
  t:event("Certificate Revoked", {}, { thing = "certificate:course/lua-1/bob" })
  t:event("Certificate Reinstated", {}, { thing = "certificate:course/lua-1/bob" })
  t:expect_ended("it can be earned now")
  t:event("Certificate Earned", {
    person = "bob", kind = "course", achievement = "lua-1",
  }, { thing = "certificate:course/lua-1/bob" })
  t:expect_sent("learning", "certificate.issue", { certificate_id = "course/lua-1/bob", reason = "earned" })
  t:expect_nothing()
end)

test("certificates are apart, and one without a person or an achievement is none", function(t)
  t:event("Certificate Earned", earned, thing)
  issued(t, 1, "earned")
  t:event("Certificate Earned", {
    person = "bob", kind = "course", achievement = "safety-1",
  }, { thing = "certificate:course/safety-1/bob" })
  t:expect_sent("learning", "certificate.issue", { certificate_id = "course/safety-1/bob", version = 1, name = null })
  t:event("Certificate Earned", { title = "Safety" }, { thing = "certificate:x" })
  t:expect_verdict("skipped", "who has earned what")
  t:expect_nothing()
end)

test("details that are no texts and no numbers are left out, and so are those that are too long", function(t)
  t:event("Certificate Earned", {
    person = "ada", kind = "attendance", achievement = "w7", title = { 1 }, credit = ("x"):rep(9000), name = true,
  }, { thing = "certificate:attendance/w7/ada" })
  t:expect_sent("learning", "certificate.issue", { customer = "ada", title = null, credit = null, name = null })
end)
