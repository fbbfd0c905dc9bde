local tries = use("lib/tries")

local HOUR, DAY = 3600000, 86400000
local now = 1767603600000

local function book(count, gap, amount)
  local one = {}
  for number = 1, count do tries.note(one, amount or "4900 EUR", now - (count - number) * gap) end
  return one
end

test("a book comes back as it was written", function(t)
  local one = book(3, DAY)
  tries.note(one, "100 JPY", now)
  local text = tries.write(one, now)
  assert(text == "100 JPY:1767603600;4900 EUR:1767430800,1767517200,1767603600", text)
  assert(tries.write(tries.read(text), now) == text)
  assert(tries.write(tries.read(nil), now) == "")
end)

test("visa allows 15 in 30 days", function(t)
  assert(tries.next_at(book(14, HOUR), "4900 EUR", "visa", now) == now)
  assert(tries.next_at(book(15, HOUR), "4900 EUR", "visa", now) == now - 14 * HOUR + 30 * DAY + 1000)
  assert(tries.next_at(book(15, HOUR), "4900 USD", "visa", now) == now)
end)

test("mastercard allows 10 in a day and 35 in 30 days", function(t)
  assert(tries.next_at(book(9, HOUR), "4900 EUR", "mastercard", now) == now)
  assert(tries.next_at(book(10, HOUR), "4900 EUR", "mastercard", now) == now - 9 * HOUR + DAY + 1000)
  assert(tries.next_at(book(34, 12 * HOUR), "4900 EUR", "mastercard", now) == now)
  assert(tries.next_at(book(35, 12 * HOUR), "4900 EUR", "mastercard", now) == now - 34 * 12 * HOUR + 30 * DAY + 1000)
end)

test("a network that nobody knows gets the strictest of all", function(t)
  for _, network in ipairs { "amex", "Visa", "" } do
    assert(tries.next_at(book(10, HOUR), "4900 EUR", network, now) > now)
    assert(tries.next_at(book(15, DAY), "4900 EUR", network, now) > now)
  end
  assert(tries.next_at(book(15, DAY), "4900 EUR", nil, now) > now)
end)

test("a try in the middle of a second counts until the second is over", function(t)
  local one = {}
  for _ = 1, 15 do tries.note(one, "1 EUR", now + 1) end
  assert(tries.next_at(one, "1 EUR", "visa", now + 1) >= now + 1 + 30 * DAY)
end)

test("what others tell of counts once, two tries in one second count twice", function(t)
  local one = {}
  for _ = 1, 3 do tries.learn(one, "1 EUR", now) end
  assert(#one["1 EUR"] == 1)
  for _ = 1, 2 do tries.note(one, "1 EUR", now) end
  assert(#one["1 EUR"] == 3)
end)

test("old tries are dropped, and a book that is full says so", function(t)
  local text, has_room = tries.write(book(2, 40 * DAY), now)
  assert(text == "4900 EUR:1767603600" and has_room)
  local full = {}
  for amount = 1, 300 do tries.note(full, amount .. " EUR", now) end
  text, has_room = tries.write(full, now)
  assert(not has_room)
end)

test("invoices keep their last try: what is open for ever, a payment for 100 days, a decline for two days", function(t)
  local text = "in_1 1767603600 open;in_2 1767603600 paid;in_3 1767603600 declined;"
  assert(tries.write_invoices(tries.read_invoices(text), now) == text)
  assert(tries.write_invoices(tries.read_invoices(text), now + 3 * DAY) == "in_1 1767603600 open;in_2 1767603600 paid;")
  assert(tries.write_invoices(tries.read_invoices(text), now + 300 * DAY) == "in_1 1767603600 open;")
  assert(tries.read_invoices(text).in_3.ended == "declined" and tries.read_invoices(text).in_3.at == now)
end)
