local webinar = { webinar = "w7", title = "Rules in ten minutes", starts_at = "2026-02-01T17:00:00Z" }

test("a registration is confirmed with all that is known of the webinar", function(t)
  t:event("webinar_registered", webinar)
  t:expect_sent("crm", "webinar.confirmation", {
    customer = "42", webinar = "w7", title = "Rules in ten minutes", starts_at = "2026-02-01T17:00:00Z",
  })
  t:expect_nothing()
end)

test("once for each webinar and each customer", function(t)
  t:event("webinar_registered", webinar)
  t:event("webinar_registered", webinar, { user = "ada" })
  t:expect_sent("crm", "webinar.confirmation", {}, { user = "42" })
  t:expect_sent("crm", "webinar.confirmation", {}, { user = "ada" })
  t:event("webinar_registered", webinar)
  t:expect_verdict("not again")
  t:event("webinar_registered", { webinar = "w8" })
  t:expect_sent("crm", "webinar.confirmation", { webinar = "w8", title = null })
  t:expect_nothing()
end)

test("a registration without a webinar confirms nothing", function(t)
  t:event("webinar_registered", { title = "Rules in ten minutes" })
  t:expect_verdict("no key")
  t:expect_nothing()
end)
