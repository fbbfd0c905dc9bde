local invoices = use("lib/open_invoices")

test("what is written comes back, the oldest first", function(t)
  local open = {
    in_2 = { amount = 100, currency = "JPY", since = 1767690000000, trying = "new card" },
    in_1 = { amount = 4900, currency = "EUR", since = 1767603600000 },
  }
  local text = invoices.write(open)
  assert(text == "in_1 4900 EUR 1767603600 -;in_2 100 JPY 1767690000 new card;", text)
  assert(invoices.write(invoices.read(text)) == text)
  local count, since = invoices.sum_up(invoices.read(text))
  assert(count == 2 and since == 1767603600000)
end)

test("nothing is no text", function(t)
  assert(invoices.write({}) == nil and invoices.sum_up(invoices.read(nil)) == 0)
end)

test("more than fit are kept from the oldest on", function(t)
  local open = {}
  for number = 1, 500 do open["in_" .. number] = { amount = 1, currency = "EUR", since = number * 1000 } end
  local kept = invoices.read(invoices.write(open))
  local count, since = invoices.sum_up(kept)
  assert(count > 200 and count < 500 and since == 1000 and kept.in_500 == nil)
end)
