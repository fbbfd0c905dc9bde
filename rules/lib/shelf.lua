-- A shelf keeps many short notes in one text, because state has at most 64 keys: each note under its name, the
-- newest last. When the text grows beyond its size the oldest notes fall off, so that state can never overflow.
--
--   state.shelf = shelf.put(state.shelf, "w7", "registered", 4000)
--   local note = shelf.get(state.shelf, "w7")

-- Names and notes come from outside: a line break or an equals sign in them would tear the shelf.
local function escaped(text)
  return (tostring(text):gsub("[%%=\n]", function(sign) return ("%%%02X"):format(sign:byte()) end))
end

local function plain(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- Every note as { name, note }, the oldest first.
local function all(text)
  local notes = {}
  for name, note in (text or ""):gmatch("([^=\n]*)=([^\n]*)\n") do
    notes[#notes + 1] = { name = plain(name), note = plain(note) }
  end
  return notes
end

local function get(text, wanted)
  local _, last = ("\n" .. (text or "")):find("\n" .. escaped(wanted) .. "=", 1, true)
  if not last then return nil end
  return plain(text:match("^[^\n]*", last))
end

-- The text without a note, and nil when none is left.
local function take(text, name)
  local first, last = ("\n" .. (text or "")):find("\n" .. escaped(name) .. "=", 1, true)
  if not first then return text end
  local rest = text:sub(1, first - 1) .. text:match("^[^\n]*\n(.*)$", last)
  return rest ~= "" and rest or nil
end

-- The text with a note, and the names of those that fell off for it.
local function put(text, name, note, most_bytes)
  local fallen = {}
  text = (take(text, name) or "") .. escaped(name) .. "=" .. escaped(note) .. "\n"
  while #text > most_bytes do
    local oldest, rest = text:match("^([^=]*)=[^\n]*\n(.*)$")
    fallen[#fallen + 1] = plain(oldest)
    text = rest
  end
  return text ~= "" and text or nil, fallen
end

return { all = all, get = get, put = put, take = take }
