-- The names of certificates. One person has one certificate for one achievement, for ever: whatever is told twice,
-- renewed or corrected is the same certificate in a newer version, and the address that verifies it stays.
local function id(kind, achievement, person) return kind .. "/" .. achievement .. "/" .. person end

-- The thing that rules/certificates/issue.lua keeps a certificate under.
local function thing(kind, achievement, person) return "certificate:" .. id(kind, achievement, person) end

-- The words of a list such as "basics tables exam", as tables write it.
local function words(text)
  local list = {}
  for word in tostring(text or ""):gmatch("%S+") do list[#list + 1] = word end
  return list
end

return { id = id, thing = thing, words = words }
