-- Which courses a purchase was about. What an event says itself comes first: products by their product_id
-- (data/certificates.csv), then course_id, also in Stripe's metadata; then what is remembered of its order or charge.
local catalogue = use("data/certificates")
local shelf = use("lib/shelf")

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
    for course in (note or ""):gmatch("%S+") do add(course) end
    if #list > 0 then break end
  end
  return list
end

-- One order may bring several courses, each told by itself.
local function remember(memory, order, list)
  if type(order) ~= "string" or #list == 0 then return memory end
  local note = shelf.get(memory, order) or ""
  for _, course in ipairs(list) do
    local known = (" " .. note .. " "):find(" " .. course .. " ", 1, true)
    if not known then note = note == "" and course or note .. " " .. course end
  end
  return (shelf.put(memory, order, note, most_bytes))
end

return { courses = courses, remember = remember }
