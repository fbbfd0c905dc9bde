-- Keeps the customer's unpaid invoices, for other rules: the trait payment_failing, the event "Unpaid Invoices
-- Changed" (count, since) that access.lua reads, and the outcome of each with its amount, for reports.
--
-- Reads "invoice.payment_failed", "invoice.paid", "invoice.voided", "invoice.marked_uncollectible", "invoice.deleted" and
-- "Payment Tried" and "payment.answered" of this pack.
-- Emits "Invoice Unpaid" with the data of each failure, for campaigns: not when the invoice is settled already, because
-- events overtake each other on their way.
-- Emits "Payment Recovered" (invoice, amount, currency, by, days), by is "calendar", "new card", "updated card" or
-- "customer"; and "Payment Closed" (invoice, amount, currency, reason) when nobody has to pay any more.
local bills = use("lib/bills")
local money = use("lib/money")
local invoices = use("lib/open_invoices")

local reasons = {
  ["invoice.voided"] = "voided", ["invoice.marked_uncollectible"] = "written off", ["invoice.deleted"] = "deleted",
}
local DAY = 24 * 60 * 60 * 1000

local function outcome(name, invoice, one, fields)
  fields.invoice, fields.amount, fields.currency = invoice, one.amount, one.currency
  fields.days = (now() - one.since) // DAY
  emit(name, fields)
end

return rule {
  title = "Keep the unpaid invoices of a customer",
  on    = {
    "invoice.payment_failed", "invoice.paid", "invoice.voided", "invoice.marked_uncollectible", "invoice.deleted",
    "Payment Tried", "payment.answered",
  },
  priority = 10,  -- others read the trait
  owner    = "billing",
  run = function(event, customer)
    local data = event.data
    local invoice = event.name:find("^invoice%.") and data.id or data.invoice
    check(type(invoice) == "string" and invoice:find("^[^%s;]+$") and #invoice <= 100, "no invoice is named")
    local open = invoices.read(state.open)
    local count, since = invoices.sum_up(open)
    local one = open[invoice]

    if event.name == "invoice.payment_failed" then
      check(not invoices.is_settled(state.settled, invoice), "this invoice is settled: the word of its failure comes late")
      local amount, currency = bills.amount(data.amount_remaining, data.amount_due), money.currency(data.currency)
      check(amount and currency, "the failed payment has no amount that can be understood")
      open[invoice] = open[invoice] or { amount = amount, currency = currency, since = now() }
      emit("Invoice Unpaid", data)
    else
      local is_end = event.name:find("^invoice%.") or data.outcome == "paid"
      if is_end then state.settled = invoices.settle(state.settled, invoice, now()) end
      if not one then return finish("this invoice had not failed, or is settled") end
      if event.name == "Payment Tried" then
        one.trying = data.why
      elseif not is_end then
        one.trying = nil
      else
        open[invoice] = nil
        if event.name == "invoice.paid" or event.name == "payment.answered" then
          outcome("Payment Recovered", invoice, one, { by = one.trying or "customer" })
        else
          outcome("Payment Closed", invoice, one, { reason = reasons[event.name] })
        end
      end
    end

    state.open = invoices.write(open)
    local count_now, since_now = invoices.sum_up(open)
    if count_now == count and since_now == since then return end
    set { payment_failing = count_now > 0 and true or null }
    emit("Unpaid Invoices Changed", { count = count_now, since = since_now })
  end,
}
