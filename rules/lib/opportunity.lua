-- What the chance of an upgrade is judged by: change the weights here, and nowhere else. They are shares of one whole,
-- whatever they add up to.
return {
  weights = { limit = 30, gate = 25, growth = 20, breadth = 15, loyalty = 10 },
  -- From which score on somebody is in a band, and how far beyond a border they have to be to leave it.
  bands  = { { name = "low", from = 0 }, { name = "some", from = 30 }, { name = "high", from = 60 } },
  margin = 5,
  -- A knock at a locked door counts half after so many days.
  half_life_days = 14,
  curves = {
    limit   = { { 40, 0 }, { 80, 70 }, { 100, 100 } },        -- percent of a limit that is used
    growth  = { { 1, 0 }, { 1.5, 50 }, { 3, 100 } },          -- uses in 30 days against the 30 days before
    breadth = { { 1, 0 }, { 4, 60 }, { 8, 100 } },            -- different features in 30 days
    loyalty = { { 0, 0 }, { 90, 60 }, { 365, 100 } },         -- days since the first use that is known
  },
}
