-- Money that went back takes its certificate with it: a full refund revokes, a dispute or a warning of fraud suspends
-- until it is decided, a lost dispute revokes and a won one brings it back, and so does buying again after a refund.
-- Reads, of the buyer: Segment's "Order Completed" and "Order Refunded" { order_id, products }, "Course Enrolled"
-- { course_id, order_id: the order, charge or invoice it came with }, Stripe's charge.refunded { id, amount,
-- amount_refunded, metadata.course_id }, charge.dispute.created and .closed { charge, status },
-- radar.early_fraud_warning.created { charge, actionable }.
-- What cannot be traced to a course takes nothing away: fraud is then put before a person ("certificate.review").
local certificates = use("lib/certificates")
local purchases = use("lib/purchases")

local verdicts = {
  lost = "Certificate Revoked", won = "Certificate Reinstated", warning_closed = "Certificate Reinstated",
}

return rule {
  title = "Withdraw certificates on refund and fraud",
  on    = {
    "Course Enrolled", "Order Completed", "Order Refunded", "charge.refunded", "charge.dispute.created",
    "charge.dispute.closed", "radar.early_fraud_warning.created",
  },
  class = "transactional",
  owner = "learning",
  run = function(event, customer)
    local name, data = event.name, event.data
    local courses = purchases.courses(state.purchases, data)
    if name == "Course Enrolled" or name == "Order Completed" then
      state.purchases = purchases.remember(state.purchases, data.order_id, courses, name == "Course Enrolled")
    end
    if name == "Course Enrolled" then return end

    local cause, reason, what = "fraud", nil, nil
    if name == "Order Completed" then
      cause, reason, what = "refund", "it was bought again", "Certificate Reinstated"
    elseif name == "Order Refunded" then
      cause, reason, what = "refund", "the order was refunded", "Certificate Revoked"
    elseif name == "charge.refunded" then
      local amount, refunded = tonumber(data.amount), tonumber(data.amount_refunded)
      local all = amount and refunded and refunded >= amount
      check(all, "only a part was refunded: the certificate stays")
      cause, reason, what = "refund", "the payment was refunded", "Certificate Revoked"
    elseif name == "charge.dispute.created" then
      reason, what = "the payment is disputed: " .. tostring(data.reason or "no reason given"), "Certificate Suspended"
    elseif name == "charge.dispute.closed" then
      reason, what = "the dispute is " .. tostring(data.status), verdicts[data.status or ""]
      check(what, "the dispute is closed and decides nothing")
    else
      check(data.actionable ~= false, "the payment was given back already: its refund decides")
      reason = "the bank warns of fraud: " .. tostring(data.fraud_type or "no type given")
      what = "Certificate Suspended"
    end

    local is_traced = #courses > 0
    if cause == "refund" and name ~= "Order Completed" then
      state.purchases, courses = purchases.refund(state.purchases, data, courses)
      if is_traced and #courses == 0 then return finish("another purchase pays for it: the certificate stays") end
    end
    for _, course in ipairs(courses) do
      local is_told_again = name == "Order Completed" and purchases.is_refunded(state.purchases, data.order_id, course)
      if not is_told_again then
        emit(what, { cause = cause, reason = reason }, { subject = certificates.thing("course", course, customer.id) })
      end
    end
    if not is_traced and cause == "fraud" and what ~= "Certificate Reinstated" then
      send("learning", "certificate.review", { customer = customer.id, reason = reason, charge = data.charge })
    end
  end,
}
