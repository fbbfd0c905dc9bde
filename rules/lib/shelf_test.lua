local shelf = use("lib/shelf")

test("notes are found, replaced and taken away", function(t)
  local text = shelf.put(nil, "w7", "a", 1000)
  text = shelf.put(text, "w8", "b", 1000)
  text = shelf.put(text, "w7", "c", 1000)
  assert(shelf.get(text, "w7") == "c" and shelf.get(text, "w8") == "b" and shelf.get(text, "w") == nil)
  assert(#shelf.all(text) == 2 and shelf.all(text)[1].name == "w8", "the newest stands last")
  text = shelf.take(text, "w8")
  assert(shelf.get(text, "w8") == nil and shelf.get(text, "w7") == "c")
  assert(shelf.take(text, "w9") == text)
  assert(shelf.take(text, "w7") == nil and #shelf.all(nil) == 0 and shelf.get(nil, "w7") == nil)
end)

test("no name and no note can tear it", function(t)
  local text
  for _, odd in ipairs { "a=b", "line\nbreak", "50 %", "%3D", "", "äöü", "." } do
    text = shelf.put(text, odd, odd .. "\n=" .. odd, 1000)
    assert(shelf.get(text, odd) == odd .. "\n=" .. odd, odd)
  end
  assert(#shelf.all(text) == 7)
end)

test("the oldest notes fall off before it is too large, and are named", function(t)
  local text, fallen
  for number = 1, 500 do
    text, fallen = shelf.put(text, "event " .. number, "registered", 1000)
    assert(#text <= 1000)
  end
  assert(shelf.get(text, "event 500") == "registered" and shelf.get(text, "event 1") == nil)
  assert(#fallen == 1 and fallen[1] == "event " .. 500 - #shelf.all(text))
  text, fallen = shelf.put(text, "huge", ("x"):rep(2000), 1000)
  assert(text == nil and fallen[#fallen] == "huge", "a note that is too large by itself falls off as well")
end)
