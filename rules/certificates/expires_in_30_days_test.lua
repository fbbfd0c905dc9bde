local certificate = {
  certificate_id = "course/safety-1/ada", kind = "course", achievement = "safety-1", title = "Safety at work", version = 1,
  expires_at = "2027-01-05T12:00:00Z",
}
local renewed = { certificate_id = "course/safety-1/ada", version = 2, expires_at = "2028-01-05T12:00:00Z" }

test("it comes at nine on the holder's own clock, with what is to be renewed", function(t)
  t:identify({ timezone = "America/New_York" }, { user = "ada" })
  t:event("Certificate Issued", certificate, { user = "ada" })
  t:event("Certificate Issued", certificate, { user = "bob" })
  t:at("2026-12-06 09:00", "UTC")
  t:expect_sent("crm", "certificate.renewal", {
    what = "30 days", customer = "bob", certificate_id = "course/safety-1/ada", kind = "course",
    achievement = "safety-1", title = "Safety at work", expires_at = "2027-01-05T12:00:00Z",
  })
  t:expect_nothing()
  t:at("2026-12-06 09:00", "America/New_York")
  t:expect_sent("crm", "certificate.renewal", { timezone = "America/New_York" }, { user = "ada" })
  t:expect_nothing()
end)

test("a renewal moves it to the new date", function(t)
  t:event("Certificate Issued", certificate)
  t:advance("30 days")
  t:event("Certificate Issued", renewed)
  t:expect_waiting { ends = "2027-12-06T09:00:00Z" }
  t:at("2027-01-05T12:00:00Z")
  t:expect_nothing()
  t:at("2027-12-06T09:00:00Z")
  t:expect_sent("crm", "certificate.renewal", { expires_at = "2028-01-05T12:00:00Z" })
end)

test("another certificate moves nothing, and a renewal after the reminder begins anew", function(t)
  t:event("Certificate Issued", certificate)
  t:event("Certificate Issued", { certificate_id = "course/lua-2/ada", expires_at = "2030-01-05T12:00:00Z" })
  t:at("2026-12-07T09:00:00Z")
  t:expect_sent("crm", "certificate.renewal", { certificate_id = "course/safety-1/ada" })
  t:event("Certificate Issued", renewed)
  t:expect_waiting { ends = "2027-12-06T09:00:00Z" }
  t:expect_nothing()
end)

test("a withdrawn certificate reminds of nothing, a reinstated one does", function(t)
  t:event("Certificate Issued", certificate)
  t:event("Certificate Withdrawn", { certificate_id = "course/safety-1/ada" })
  t:expect_ended("stopped")
  t:event("Certificate Issued", certificate)
  t:expect_waiting { ends = "2026-12-06T09:00:00Z" }
end)

test("without an end, with one that cannot be read, and too late nothing is sent", function(t)
  t:event("Certificate Issued", { certificate_id = "attendance/w7/ada", title = "Rules" })
  t:expect_verdict("not matched")
  t:event("Certificate Issued", { certificate_id = "x", expires_at = "never" })
  t:expect_verdict("skipped", "never")
  t:event("Certificate Issued", { expires_at = "2027-01-05T12:00:00Z" })
  t:expect_verdict("no key")
  t:at("2026-12-07T09:00:00Z")
  t:event("Certificate Issued", certificate)
  t:expect_verdict("skipped", "late")
  t:advance("90 days")
  t:expect_nothing()
end)
