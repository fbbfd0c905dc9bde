-- Which courses a purchase was about. What an event says itself comes first: products by their product_id
-- (data/certificates.csv), then course_id, also in Stripe's metadata; then what is remembered of its order or charge.
local catalogue = use("data/certificates")
local shelf = use("lib/shelf")

-- A note lists the courses of an order: "lua-1 -lua-2" when the second was refunded. A sign "~" before them says that
-- the order is known from enrolling alone. One purchase may have two names, an order's and a charge's, so that only
-- notes of one kind are held against each other.
local most_bytes = 7000 -- some 150 purchases of one person; the oldest are forgotten

local course_of = {}
for course_id, course in pairs(catalogue) do
  if course.product_id then course_of[tostring(course.product_id)] = course_id end
end

local function courses(memory, data)
  local list, seen = {}, {}
  local function add(course)
    if type(course) == "string" and catalogue[course] and not seen[course] then
      seen[course] = true
      list[#list + 1] = course
    end
  end
  if type(data.products) == "table" then
    for _, product in ipairs(data.products) do
      if type(product) == "table" and product.product_id then add(course_of[tostring(product.product_id)]) end
    end
    -- A list of products is complete: what was bought beside them is not meant.
    if #data.products > 0 then return list end
  end
  add(data.course_id)
  if type(data.metadata) == "table" then add(data.metadata.course_id) end
  if #list > 0 then return list end
  for _, field in ipairs { "order_id", "charge", "id", "invoice", "payment_intent" } do
    local note = type(data[field]) == "string" and shelf.get(memory, data[field])
    for course in (note or ""):gmatch("[^%s~-]%S*") do add(course) end
    if #list > 0 then break end
  end
  return list
end

local function has(note, word) return (" " .. (note or "") .. " "):find(" " .. word .. " ", 1, true) ~= nil end

-- One order may bring several courses, each told by itself.
local function remember(memory, order, list, is_enrolled)
  if type(order) ~= "string" or #list == 0 then return memory end
  local note = shelf.get(memory, order) or (is_enrolled and "~" or "")
  if not is_enrolled then note = note:gsub("^~ ?", "") end
  for _, course in ipairs(list) do
    local is_known = has(note, course) or has(note, "-" .. course)
    if not is_known then note = note == "" and course or note .. " " .. course end
  end
  return (shelf.put(memory, order, note, most_bytes))
end

-- Whether this very order has been refunded: it does not bring the course back, however often it is told.
local function is_refunded(memory, order, course)
  return type(order) == "string" and has(shelf.get(memory, order), "-" .. course)
end

-- The money for these courses went back. Answers the memory, and the courses that no other purchase pays for.
local function refund(memory, data, list)
  local order
  for _, field in ipairs { "order_id", "id", "invoice", "payment_intent" } do
    local name = type(data[field]) == "string" and data[field] or nil
    if name and (not order or shelf.get(memory, name)) then order = name end
    if order and shelf.get(memory, order) then break end
  end
  if not order then return memory, list end
  local note = shelf.get(memory, order) or ""
  local is_enrolled, unpaid = note:sub(1, 1) == "~", {}
  for _, course in ipairs(list) do
    local words = {}
    for word in note:gmatch("%S+") do
      if word ~= course and word ~= "-" .. course then words[#words + 1] = word end
    end
    words[#words + 1] = "-" .. course
    note = table.concat(words, " ")
    local is_paid = false
    for _, one in ipairs(shelf.all(memory)) do
      local is_same_kind = (one.note:sub(1, 1) == "~") == is_enrolled
      is_paid = is_paid or one.name ~= order and is_same_kind and has(one.note, course)
    end
    if not is_paid then unpaid[#unpaid + 1] = course end
  end
  return (#list > 0 and shelf.put(memory, order, note, most_bytes) or memory), unpaid
end

return { courses = courses, remember = remember, refund = refund, is_refunded = is_refunded }
