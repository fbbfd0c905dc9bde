-- Amounts: decimals, as shops tell them, become whole numbers in the currency's smallest unit, as billing wants them.

-- How many decimals a currency has, where these are not two (ISO 4217).
local exponents = {
  BIF = 0, CLP = 0, DJF = 0, GNF = 0, ISK = 0, JPY = 0, KMF = 0, KRW = 0, PYG = 0, RWF = 0, UGX = 0, UYI = 0,
  VND = 0, VUV = 0, XAF = 0, XOF = 0, XPF = 0,
  BHD = 3, IQD = 3, JOD = 3, KWD = 3, LYD = 3, OMR = 3, TND = 3,
  CLF = 4, UYW = 4,
}

-- The currency in capitals, or nil when it is none.
local function currency(value)
  if type(value) ~= "string" or not value:find("^%a%a%a$") then return nil end
  return value:upper()
end

local function exponent(name) return exponents[name] or 2 end

-- 49.99 in EUR is 4999, "1500" in JPY is 1500; nil when it is no amount. Half a unit is rounded away from zero.
local function minor(value, of)
  local name, number = currency(of), tonumber(value)
  if not name or not number or number ~= number or math.abs(number) > 1e12 then return nil end
  local units = number * 10 ^ exponent(name)
  -- 0.285 times 1000 is a hair below 285: what a sum of prices loses in binary is given back before rounding.
  local nearest = math.floor(math.abs(units) + 0.5 + 1e-6)
  return math.tointeger(units < 0 and -nearest or nearest)
end

-- 4999 in EUR is "49.99 EUR"; for messages to people.
local function text(amount, of)
  local name = currency(of)
  if not name or math.type(amount) ~= "integer" then return nil end
  local places, sign = exponent(name), amount < 0 and "-" or ""
  local digits = tostring(math.abs(amount))
  if places == 0 then return sign .. digits .. " " .. name end
  digits = ("0"):rep(places + 1 - #digits) .. digits
  return sign .. digits:sub(1, -places - 1) .. "." .. digits:sub(-places) .. " " .. name
end

return { currency = currency, minor = minor, text = text }
