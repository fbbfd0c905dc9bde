-- The unpaid invoices of one customer, as a text that a state can hold: "in_1 4900 EUR 1767603600 calendar;…", with
-- the second of the first failure and why the try under way was made ("-" when none is).

local ROOM, SETTLED_ROOM = 5000, 2500  -- bytes; a state has 8,192
local DAY = 24 * 60 * 60 * 1000

local function read(text)
  local open = {}
  for invoice, amount, currency, since, trying in (text or ""):gmatch("(%S+) (%d+) (%S+) (%d+) ([^;]+);") do
    open[invoice] = {
      amount = math.tointeger(amount), currency = currency, since = math.tointeger(since) * 1000,
      trying = trying ~= "-" and trying or nil,
    }
  end
  return open
end

-- What does not fit is left out, the youngest first: the oldest decide about access.
local function write(open)
  local lines = {}
  for invoice, one in pairs(open) do
    table.insert(lines, { since = one.since, text = invoice .. " " .. one.amount .. " " .. one.currency .. " "
      .. tostring(one.since // 1000) .. " " .. (one.trying or "-") .. ";" })
  end
  table.sort(lines, function(a, b) return a.since < b.since end)
  local text = ""
  for _, line in ipairs(lines) do
    if #text + #line.text <= ROOM then text = text .. line.text end
  end
  return text ~= "" and text or nil
end

-- How many there are, and since when, in milliseconds.
local function sum_up(open)
  local count, since = 0, nil
  for _, one in pairs(open) do
    count, since = count + 1, since and math.min(since, one.since) or one.since
  end
  return count, since
end

-- The second text: what is settled, "in_1 1767603600;…", the newest first, for 60 days. Events overtake each other on
-- their way, and a failure that is told after the payment must not open the invoice again.
local function settle(text, invoice, now)
  local kept = invoice .. " " .. tostring(now // 1000) .. ";"
  for one, second in (text or ""):gmatch("(%S+) (%d+);") do
    local line = one .. " " .. second .. ";"
    if one ~= invoice and math.tointeger(second) * 1000 > now - 60 * DAY and #kept + #line <= SETTLED_ROOM then
      kept = kept .. line
    end
  end
  return kept
end

local function is_settled(text, invoice)
  return (";" .. (text or "")):find(";" .. invoice .. " ", 1, true) ~= nil
end

return { read = read, write = write, sum_up = sum_up, settle = settle, is_settled = is_settled }
