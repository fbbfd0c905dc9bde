-- Lowers access step by step while an invoice stays unpaid, and gives it back when all are paid. The steps stand in
-- lib/dunning.lua; the days count from the oldest unpaid invoice.
--
-- Reads "Unpaid Invoices Changed" (count, since) of ledger.lua.
-- Sets  the trait access: "full", "read_only" or "suspended"; emits "Access Changed" (access, previous, since), and
-- sends "dunning.access" to crm with the same, so that the product and the customer know.
local settings = use("lib/dunning")

local DAY = 24 * 60 * 60 * 1000

local function give(customer, access, since)
  local previous = customer.traits.access or "full"
  if previous == access then return end
  set { access = access }
  emit("Access Changed", { access = access, previous = previous, since = since })
  send("crm", "dunning.access", { customer = customer.id, access = access, previous = previous, since = since })
end

return rule {
  title = "Lower access while an invoice stays unpaid",
  on    = "Unpaid Invoices Changed",
  when  = function(event) return event.data.count > 0 end,
  class = "transactional",
  owner = "billing",
  run = function(event, customer)
    local since = event.data.since
    for _, step in ipairs(settings.access) do
      -- When the oldest invoice is paid, the next one counts, and there is more time.
      while since + step.days * DAY > now() do
        local changed = wait_for("Unpaid Invoices Changed",
          { within = (since + step.days * DAY - now() + 999) // 1000 .. " seconds" })
        if changed and changed.data.count == 0 then
          give(customer, "full")
          return finish("all is paid")
        end
        since = changed and changed.data.since or since
      end
      give(customer, step.access, since)
    end
    wait_for("Unpaid Invoices Changed", { match = { count = 0 } })
    give(customer, "full")
    finish("all is paid")
  end,
}
