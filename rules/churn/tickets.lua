-- Keeps the trait open_tickets, which holds offers back and weighs in the health. One run waits for each ticket, so
-- that a ticket that is told twice counts once, and one that nobody ever closes is forgotten after 60 days.
-- A ticket whose end is told before its beginning is not open either: what was solved is remembered with its time.
-- Reads "Ticket Opened" { ticket_id } and "Ticket Solved" { ticket_id }.
local shelf = use("lib/shelf")
local forgotten_after = "60 days"
local most_bytes = 4000   -- of what was solved, some 100 tickets of one customer

return rule {
  title = "Know how many tickets are open",
  on    = { "Ticket Opened", "Ticket Solved" },
  key   = "data.ticket_id",
  owner = "support",
  run = function(event, customer)
    local id = event.data.ticket_id
    if event.name == "Ticket Solved" then
      state.solved = shelf.put(state.solved, id, event.time, most_bytes)
      return finish("solved, and not open as far as is known")
    end
    local solved_at = tonumber(shelf.get(state.solved, id))
    check(not solved_at or solved_at <= event.time, "told late: it is solved already")
    state.open = (state.open or 0) + 1
    set { open_tickets = state.open }
    local solved = wait_for("Ticket Solved", { within = forgotten_after })
    state.open = math.max(0, (state.open or 1) - 1)
    set { open_tickets = state.open }
    finish(solved and "solved" or "nobody closed it: forgotten")
  end,
}
