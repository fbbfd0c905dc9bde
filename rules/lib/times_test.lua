local times = use("lib/times")

test("moments are read with their zone, with and without seconds", function(t)
  assert(times.milliseconds("1970-01-01T00:00:00Z") == 0)
  assert(times.milliseconds("2026-03-01T18:00:00Z") == 1772388000000)
  assert(times.milliseconds("2026-03-01T19:00:00+01:00") == 1772388000000)
  assert(times.milliseconds("2026-03-01T13:00-0500") == 1772388000000)
  assert(times.milliseconds("2026-03-01T18:00:00.25Z") == 1772388000250)
  assert(times.milliseconds("2026-03-01T23:30:00+05:30") == 1772388000000)
  assert(times.milliseconds(1772388000000) == 1772388000000)
end)

test("what is no moment is nil", function(t)
  for _, value in ipairs {
    "", "soon", "2026-03-01", "2026-03-01T18:00:00", "2026-02-30T18:00:00Z",
    "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z",
    "2026-03-01T18:60:00Z", "2026-03-01T18:00:61Z", "2026-03-01T18:00:00Zulu", 1.5, true,
  } do
    assert(times.milliseconds(value) == nil, tostring(value))
  end
  assert(times.milliseconds(nil) == nil and times.text(nil) == nil)
end)

test("every day of four hundred years is read and written alike", function(t)
  for day = -141000, 40000, 97 do
    local written = times.text(day * times.day)
    assert(times.milliseconds(written) == day * times.day, written)
  end
  for _, day in ipairs {
    "1600-02-29", "1700-03-01", "1900-02-28", "2000-12-31", "2100-03-01", "2399-12-31", "2400-02-29",
  } do
    local written = day .. "T01:02:03Z"
    assert(times.text(times.milliseconds(written)) == written, written)
  end
  assert(times.text(times.milliseconds("2024-02-29T23:59:59Z")) == "2024-02-29T23:59:59Z")
  assert(times.text(times.milliseconds("2024-02-29T23:59:59Z") + 1000) == "2024-03-01T00:00:00Z")
end)

test("durations are whole minutes, rounded up, and nothing that is past", function(t)
  assert(times.duration(60000) == "1 minutes" and times.duration(60001) == "2 minutes")
  assert(times.duration(0) == nil and times.duration(-5) == nil)
  assert(times.day == 24 * times.hour and times.hour == 60 * 60000)
  assert(times.year(times.milliseconds("2026-12-31T23:59:59Z")) == 2026)
  assert(times.year(times.milliseconds("2027-01-01T00:00:00Z")) == 2027)
end)
