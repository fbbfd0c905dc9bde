-- How often a card may be tried. The networks count every try of a card with the same amount and currency, and fine
-- what goes beyond. This library keeps the book, as a short text that a rule's state can hold.

local SECOND, DAY = 1000, 24 * 60 * 60 * 1000

-- So many tries in so long. Visa allows some merchants 20 in 30 days since 2025; 15 is safe for all.
local limits = {
  visa       = { { most = 15, within_ms = 30 * DAY } },
  mastercard = { { most = 10, within_ms = DAY }, { most = 35, within_ms = 30 * DAY } },
}
-- Any other network, and a card whose network nobody has told: the strictest of all.
local strictest = { { most = 10, within_ms = DAY }, { most = 15, within_ms = 30 * DAY } }

local KEPT = 31 * DAY       -- longer than the longest limit
local ROOM = 5000           -- bytes of a book; a state has 8,192, and there is a second book in it

-- "4900 EUR:1767603600,1767690000;…": for each amount the second of each try, rounded up so that none counts too short.
local function read(text)
  local book = {}
  for amount, times in (text or ""):gmatch("([^:;]+):([^;]*)") do
    book[amount] = {}
    for second in times:gmatch("%d+") do table.insert(book[amount], math.tointeger(second) * SECOND) end
  end
  return book
end

-- The book without what counts for no limit any more; `complete` is false when there is no room for another try.
local function write(book, now)
  local parts = {}
  for amount, times in pairs(book) do
    local kept = {}
    for _, at in ipairs(times) do
      if at > now - KEPT then table.insert(kept, tostring(at // SECOND)) end
    end
    if #kept > 0 then table.insert(parts, amount .. ":" .. table.concat(kept, ",")) end
  end
  local text = table.concat(parts, ";")
  return text, #text <= ROOM
end

-- A try at this moment, rounded up to the second.
local function note(book, amount, at)
  book[amount] = book[amount] or {}
  table.insert(book[amount], (at + SECOND - 1) // SECOND * SECOND)
  table.sort(book[amount])
end

-- A try that someone else has made and tells of, perhaps again and again: it is counted once. Where it was the last of
-- several, `times` of them, the others count as if they had been made with it: nobody tells when they were.
local function learn(book, amount, at, times)
  for _, known in ipairs(book[amount] or {}) do
    if math.abs(known - at) <= SECOND then return end
  end
  for _ = 1, math.max(1, math.min(times or 1, 35)) do note(book, amount, at) end
end

-- When this amount may be tried next: now, or the moment when an old try counts no more.
local function next_at(book, amount, network, now)
  local at = now
  local times = book[amount] or {}
  for _, limit in ipairs(limits[network] or strictest) do
    -- The try that has to grow old before there is room for one more.
    local oldest = times[#times - limit.most + 1]
    if oldest then at = math.max(at, oldest + limit.within_ms + SECOND) end
  end
  return at
end

-- The second book: for each invoice its last try and how that ended; of one that is open with the payment method, where
-- the card is known by its number. "in_1 1767603600 declined;in_2 1767690000 open pm_1;…"
local function read_invoices(text)
  local invoices = {}
  for invoice, second, ended, method in (text or ""):gmatch("(%S+) (%d+) (%a+) ?([^%s;]*);") do
    invoices[invoice] = {
      at = math.tointeger(second) * SECOND, ended = ended, method = method ~= "" and method or nil,
    }
  end
  return invoices
end

-- What is open is kept, however old: nobody knows yet whether it is paid. What is paid is remembered for as long as
-- somebody might ask for it again; a decline matters for a day.
local function write_invoices(invoices, now)
  local parts = {}
  for invoice, last in pairs(invoices) do
    local method = last.ended == "open" and last.method and " " .. last.method or ""
    if last.ended == "open" or last.at > now - (last.ended == "paid" and 100 * DAY or 2 * DAY) then
      table.insert(parts, invoice .. " " .. tostring((last.at + SECOND - 1) // SECOND) .. " " .. last.ended .. method .. ";")
    end
  end
  local text = table.concat(parts)
  return text, #text <= ROOM // 2
end

return {
  read = read, write = write, note = note, learn = learn, next_at = next_at,
  read_invoices = read_invoices, write_invoices = write_invoices,
}
