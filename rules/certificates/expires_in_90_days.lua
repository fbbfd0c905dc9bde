-- Three months before a certificate expires, at nine in the morning on its holder's own clock. Renewing moves the
-- date, so that nothing more is said of the old one; a certificate that is withdrawn reminds of nothing.
-- Reads, of the holder: "Certificate Issued" { certificate_id, title, expires_at } and "Certificate Withdrawn"
-- { certificate_id } of rules/certificates/issue.lua. What has no end is left alone.
local lead = { days = 90, at = "09:00" }

return rule {
  title    = "Remind of a certificate three months before it expires",
  on       = before("data.expires_at", lead, {
    event = "Certificate Issued", moved = "Certificate Issued", cancelled = "Certificate Withdrawn",
  }),
  key      = "data.certificate_id",
  when     = function(event) return event.data.expires_at ~= nil end,
  topic    = "reminders",
  late     = "skip",
  catch_up = "2 days",
  owner    = "learning",
  run = function(event, customer, date)
    send("crm", "certificate.renewal", {
      what = "90 days", customer = customer.id, certificate_id = event.data.certificate_id, kind = event.data.kind,
      achievement = event.data.achievement, title = event.data.title, expires_at = date,
      timezone = customer.traits.timezone,
    })
  end,
}
