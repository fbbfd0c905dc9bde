local table_of = use("lib/opportunity")

test("each curve rises, so that more of a good thing never lowers the score", function(t)
  for name, curve in pairs(table_of.curves) do
    for place = 2, #curve do
      assert(curve[place][1] > curve[place - 1][1] and curve[place][2] >= curve[place - 1][2], name)
    end
    assert(table_of.weights[name], name .. " has a weight")
  end
end)

test("bands begin at nothing and rise", function(t)
  assert(table_of.bands[1].from == 0)
  for place = 2, #table_of.bands do
    assert(table_of.bands[place].from > table_of.bands[place - 1].from + table_of.margin)
  end
end)
