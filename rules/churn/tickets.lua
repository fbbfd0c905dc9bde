-- Keeps the trait open_tickets, which holds offers back and weighs in the health. One run waits for each ticket, so
-- that a ticket that is told twice counts once, and one that nobody ever closes is forgotten after 60 days.
-- Reads "Ticket Opened" { ticket_id } and "Ticket Solved" { ticket_id }.
local forgotten_after = "60 days"

return rule {
  title = "Know how many tickets are open",
  on    = "Ticket Opened",
  key   = "data.ticket_id",
  owner = "support",
  run = function(event, customer)
    state.open = (state.open or 0) + 1
    set { open_tickets = state.open }
    local solved = wait_for("Ticket Solved", { within = forgotten_after })
    state.open = math.max(0, (state.open or 1) - 1)
    set { open_tickets = state.open }
    finish(solved and "solved" or "nobody closed it: forgotten")
  end,
}
