local money = use("lib/money")

test("decimals become the smallest unit of their currency", function(t)
  for _, one in ipairs {
    { 49.99, "EUR", 4999 }, { "49.99", "eur", 4999 }, { 0.29, "USD", 29 }, { 1.005, "USD", 101 }, { 19.9, "GBP", 1990 },
    { 1500, "JPY", 1500 }, { 1500.4, "KRW", 1500 }, { 1.234, "KWD", 1234 }, { 0.285, "BHD", 285 }, { -4.35, "EUR", -435 },
    { 0, "EUR", 0 }, { 1.0, "CLF", 10000 },
  } do
    local units = money.minor(one[1], one[2])
    assert(units == one[3] and math.type(units) == "integer", tostring(one[1]) .. " " .. one[2])
  end
end)

test("each cent up to a thousand comes back as it went", function(t)
  for cents = 0, 100000, 7 do assert(money.minor(cents / 100, "EUR") == cents, cents) end
end)

test("nonsense is no amount", function(t)
  for _, one in ipairs { { "much", "EUR" }, { 5, "EURO" }, { 5, 7 }, { 0 / 0, "EUR" }, { math.huge, "EUR" }, { {}, "EUR" } } do
    assert(money.minor(one[1], one[2]) == nil)
  end
  assert(money.minor(nil, "EUR") == nil and money.minor(5, nil) == nil)
end)

test("people read an amount with its decimals", function(t)
  assert(money.text(4999, "eur") == "49.99 EUR")
  assert(money.text(5, "EUR") == "0.05 EUR")
  assert(money.text(-1250, "USD") == "-12.50 USD")
  assert(money.text(1500, "JPY") == "1500 JPY")
  assert(money.text(1234, "KWD") == "1.234 KWD")
  assert(money.text(12.5, "EUR") == nil and money.text(5, "") == nil)
end)
