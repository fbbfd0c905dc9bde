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

test("what is settled is known for 60 days, and no other invoice is taken for it", function(t)
  local now = 1767603600000
  local text = invoices.settle(nil, "in_1", now)
  text = invoices.settle(text, "in_2", now + 86400000)
  assert(text == "in_2 1767690000;in_1 1767603600;", text)
  assert(invoices.is_settled(text, "in_1") and invoices.is_settled(text, "in_2"))
  assert(not invoices.is_settled(text, "in_") and not invoices.is_settled(text, "n_1") and not invoices.is_settled(nil, "in_1"))
  assert(invoices.settle(text, "in_1", now + 2 * 86400000) == "in_1 1767776400;in_2 1767690000;")
  assert(invoices.settle(text, "in_3", now + 61 * 86400000) == "in_3 1772874000;")
  for number = 1, 200 do text = invoices.settle(text, "in_x" .. number, now) end
  assert(#text <= 2500 and invoices.is_settled(text, "in_x200") and not invoices.is_settled(text, "in_x1"))
end)
