local waitlist = use("lib/waitlist")

local function list_of(...)
  local list = { free = 0 }
  for _, person in ipairs { ... } do waitlist.join(list, person) end
  return list
end

test("seats go to those who came first, as many as there are", function(t)
  local list = list_of("ada", "bob", "cy")
  assert(#waitlist.offer(list, 10) == 0, "there is no seat")
  list.free = 2
  assert(table.concat(waitlist.offer(list, 10), " ") == "ada bob")
  assert(list.free == 0 and waitlist.waiting(list) == 1)
end)

test("a seat that is not taken is free again, one that is taken is not", function(t)
  local list = list_of("ada", "bob")
  list.free = 1
  waitlist.offer(list, 10)
  waitlist.leave(list, "ada")
  assert(list.free == 1 and table.concat(waitlist.offer(list, 10)) == "bob")
  waitlist.seat(list, "bob")
  assert(list.free == 0 and waitlist.waiting(list) == 0 and list.offers == nil and list.queue == nil)
end)

test("someone else who registers takes one of the free seats, and there are never fewer than none", function(t)
  local list = { free = 1 }
  waitlist.seat(list, "zoe")
  waitlist.seat(list, "eve")
  assert(list.free == 0)
  waitlist.join(list, "ada")
  assert(#waitlist.offer(list, 10) == 0)
end)

test("who takes a seat that was kept takes none of the free ones", function(t)
  local list = list_of("ada")
  list.free = 2
  waitlist.offer(list, 10)
  waitlist.seat(list, "ada")
  assert(list.free == 1)
end)

test("nobody stands in it twice, and who leaves the queue frees no seat", function(t)
  local list = list_of("ada")
  assert(waitlist.join(list, "ada"):find("already", 1, true))
  waitlist.leave(list, "ada")
  waitlist.leave(list, "nobody")
  assert(list.free == 0 and waitlist.waiting(list) == 0)
end)

test("a list that is full says so and stays as it is", function(t)
  local list, places = { free = 0 }, 0
  while not waitlist.join(list, "a person with a long name " .. places) do places = places + 1 end
  assert(places > 150 and #list.queue <= 6000 and waitlist.waiting(list) == places, places)
  assert(waitlist.join(list, "one more with a name like that") == "the list is full")
end)
