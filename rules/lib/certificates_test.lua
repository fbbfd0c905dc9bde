local certificates = use("lib/certificates")
local courses = use("data/certificates")
local schemes = use("data/credits")
local series = use("data/series")

test("a certificate is named by what was achieved and by whom", function(t)
  assert(certificates.id("course", "lua-1", "ada") == "course/lua-1/ada")
  assert(certificates.thing("course", "lua-1", "ada") == "certificate:course/lua-1/ada")
end)

test("lists are words between spaces", function(t)
  local list = certificates.words(" basics  exam ")
  assert(#list == 2 and list[1] == "basics" and list[2] == "exam" and #certificates.words(nil) == 0)
end)

test("the tables make sense", function(t)
  for id, course in pairs(courses) do
    assert(course.title and course.score >= 0 and course.score <= 100, id)
    assert(course.credit == nil or schemes[course.credit] and course.credit_minutes > 0, id)
    assert(course.valid_days == nil or course.valid_days > 90, id .. ": its first reminder comes 90 days before")
  end
  for id, one in pairs(series) do
    assert(one.needed >= 1 and one.needed <= #certificates.words(one.sessions), id)
  end
end)
