local purchases = use("lib/purchases")

local function of(memory, data) return table.concat(purchases.courses(memory, data), " ") end

test("products name their courses, and a list of products is complete", function(t)
  local two = {
    products = { { product_id = "course-lua-2" }, { product_id = "mug" }, { product_id = "course-lua-1" } },
  }
  assert(of(nil, two) == "lua-2 lua-1")
  assert(of(nil, { products = { { product_id = "course-lua-1" }, { product_id = "course-lua-1" } } }) == "lua-1")
  local memory = purchases.remember(nil, "o1", { "safety-1" })
  assert(of(memory, { order_id = "o1", products = { { product_id = "mug" } } }) == "")
  assert(of(memory, { order_id = "o1", products = {} }) == "safety-1")
end)

test("what is said outright counts before what is remembered", function(t)
  local memory = purchases.remember(nil, "ch_1", { "lua-1" })
  assert(of(memory, { id = "ch_1" }) == "lua-1" and of(memory, { charge = "ch_1" }) == "lua-1")
  assert(of(memory, { id = "ch_1", metadata = { course_id = "lua-2" } }) == "lua-2")
  assert(of(memory, { id = "ch_1", course_id = "safety-1" }) == "safety-1")
  memory = purchases.remember(memory, "o1", { "lua-2" })
  assert(of(memory, { order_id = "o1", course_id = "safety-1" }) == "safety-1")
  assert(of(memory, { order_id = "o1", charge = "ch_1" }) == "lua-2", "the order before its charge")
end)

test("an order remembers all of its courses, once each", function(t)
  local memory = purchases.remember(nil, "o1", { "lua-1" })
  memory = purchases.remember(memory, "o1", { "lua-2", "lua-1" })
  assert(of(memory, { order_id = "o1" }) == "lua-1 lua-2")
end)

test("what is unknown, of a wrong kind or not said at all is about no course", function(t)
  local memory = purchases.remember(purchases.remember(nil, nil, { "lua-1" }), "o2", {})
  assert(memory == nil and of(nil, {}) == "" and of("", { id = "ch_9" }) == "")
  assert(of(nil, { products = "all", metadata = "x", course_id = 5, order_id = {} }) == "")
  assert(of(nil, { course_id = "cooking" }) == "" and of(nil, { products = { "course-lua-1", {} } }) == "")
end)

test("the oldest purchases are forgotten before the memory is too large", function(t)
  local memory
  for number = 1, 300 do memory = purchases.remember(memory, "order with a long number " .. number, { "lua-1" }) end
  assert(#memory <= 7000 and of(memory, { order_id = "order with a long number 300" }) == "lua-1")
  assert(of(memory, { order_id = "order with a long number 1" }) == "")
end)
