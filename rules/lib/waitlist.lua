-- A waiting list as a table { queue, offers, free }: who waits and who has an offer, as shelves (lib/shelf), and how
-- many free seats nobody has been offered. A rule reads it from its state and writes it back.
local shelf = use("lib/shelf")

local last_minutes = 30 -- a seat is kept until so long before the start, and no offer is made after that
local queue_bytes  = 6000 -- room for some 500 people with ids of ten signs; state has 8,192 bytes in all
local offers_bytes = 1500 -- some 100 offers at the same time

local function join(list, person)
  local inside = shelf.get(list.offers, person) or shelf.get(list.queue, person)
  if inside then return "this person is in the list already" end
  local queue = shelf.put(list.queue, person, "", 2 * queue_bytes)
  if #queue > queue_bytes then return "the list is full" end
  list.queue = queue
end

-- The person does not take the seat that was kept, or does not wait any more: a kept seat is free for the next one.
local function leave(list, person)
  if shelf.get(list.offers, person) then list.free = list.free + 1 end
  list.offers, list.queue = shelf.take(list.offers, person), shelf.take(list.queue, person)
end

-- The person has a seat now. One that was kept is none of the free ones.
local function seat(list, person)
  if not shelf.get(list.offers, person) then list.free = math.max(list.free - 1, 0) end
  list.offers, list.queue = shelf.take(list.offers, person), shelf.take(list.queue, person)
end

-- Takes the first ones out of the queue, as many as there are free seats, and answers who they are.
local function offer(list, most)
  local people = {}
  for _, first in ipairs(shelf.all(list.queue)) do
    if list.free == 0 or #people == most or #(list.offers or "") > offers_bytes then break end
    list.queue, list.free = shelf.take(list.queue, first.name), list.free - 1
    list.offers = shelf.put(list.offers, first.name, "", 2 * offers_bytes)
    people[#people + 1] = first.name
  end
  return people
end

-- Until when a seat can be kept that is meant to be kept until `moment`, of an event that begins at `starts_at`.
local function kept_until(moment, starts_at)
  return starts_at and math.min(moment, starts_at - last_minutes * 60000) or moment
end

local function waiting(list) return #shelf.all(list.queue) end

return { join = join, leave = leave, seat = seat, offer = offer, waiting = waiting, kept_until = kept_until }
