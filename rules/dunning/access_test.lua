rules { "dunning/ledger" }

local function fail(t, invoice)
  t:event("invoice.payment_failed", { id = invoice, amount_remaining = 4900, currency = "eur" })
end

test("access stays for a week, is then read-only, and is suspended after three", function(t)
  fail(t, "in_1")
  t:advance("6 days")
  t:expect_traits { access = null }
  t:advance("1 day")
  t:expect_traits { access = "read_only" }
  t:expect_sent("crm", "dunning.access", { access = "read_only", previous = "full", since = 1767603600000 })
  t:expect_emitted("Access Changed", { access = "read_only", previous = "full" })
  t:advance("14 days")
  t:expect_traits { access = "suspended" }
  t:expect_sent("crm", "dunning.access", { access = "suspended", previous = "read_only" })
  t:advance("90 days")
  t:expect_nothing()
end)

test("who pays has full access again at once, at whatever step it was", function(t)
  for number, days in ipairs { "8 days", "30 days" } do
    fail(t, "in_" .. number)
    t:advance(days)
    t:event("invoice.paid", { id = "in_" .. number })
    t:expect_traits { access = "full" }
    t:expect_ended("all is paid")
    t:expect_emitted("Access Changed", { access = "full" })
    t:advance("60 days")
  end
end)

test("who pays within the week has noticed nothing", function(t)
  fail(t, "in_1")
  t:advance("6 days")
  t:event("invoice.paid", { id = "in_1" })
  t:expect_ended("all is paid")
  t:advance("30 days")
  t:expect_nothing()
end)

test("the days count from the oldest invoice that is unpaid", function(t)
  fail(t, "in_1")
  t:advance("5 days")
  fail(t, "in_2")
  t:event("invoice.paid", { id = "in_1" })
  t:advance("6 days")
  t:expect_traits { access = null }
  t:advance("1 day")
  t:expect_traits { access = "read_only" }
  t:expect_sent("crm", "dunning.access", { since = 1767603600000 + 5 * 86400000 })
  t:event("invoice.voided", { id = "in_2" })
  t:expect_traits { access = "full" }
end)

test("a word that all is paid begins nothing", function(t)
  t:event("Unpaid Invoices Changed", { count = 0 })
  t:expect_verdict("not matched")
  t:expect_not_waiting()
end)
