rules { "certificates/issue" }

local thing = { thing = "certificate:course/lua-1/ada" }
local ada = { user = "ada" }

local function earn(t)
  t:event("Certificate Earned", {
    person = "ada", kind = "course", achievement = "lua-1", title = "Lua for teams",
  }, thing)
  t:expect_sent("learning", "certificate.issue", { version = 1 })
end

local function buy(t) t:event("Course Enrolled", { course_id = "lua-1", order_id = "ch_1" }, ada) end

test("a refunded order revokes the certificates of its products and no others", function(t)
  earn(t)
  t:event("Order Refunded", {
    order_id = "o1", products = { { product_id = "course-lua-2" }, { product_id = "mug" } },
  }, ada)
  t:expect_nothing()
  t:event("Order Refunded", { order_id = "o1", products = { { product_id = "course-lua-1" } } }, ada)
  t:expect_sent("learning", "certificate.revoke", {
    certificate_id = "course/lua-1/ada", status = "revoked", reason = "the order was refunded",
  })
  t:event("Order Refunded", { order_id = "o1", products = { { product_id = "course-lua-1" } } }, ada)
  t:expect_nothing()
end)

test("a refunded charge is traced by what it came with, and a part of it takes nothing away", function(t)
  buy(t)
  earn(t)
  t:event("charge.refunded", { id = "ch_1", amount = 9900, amount_refunded = 5000 }, ada)
  t:expect_verdict("skipped", "only a part", { rule = "certificates/revoke" })
  t:event("charge.refunded", { id = "ch_2", amount = 9900, amount_refunded = 9900 }, ada)
  t:expect_nothing()
  t:event("charge.refunded", { id = "ch_1", amount = 9900, amount_refunded = 9900 }, ada)
  t:expect_sent("learning", "certificate.revoke", { status = "revoked", reason = "the payment was refunded" })
end)

test("a charge can name its course itself", function(t)
  earn(t)
  t:event("charge.refunded", {
    id = "ch_9", amount = 100, amount_refunded = 100, metadata = { course_id = "lua-1" },
  }, ada)
  t:expect_sent("learning", "certificate.revoke", { certificate_id = "course/lua-1/ada" })
end)

test("buying again brings it back after a refund", function(t)
  earn(t)
  local order = { order_id = "o1", products = { { product_id = "course-lua-1" } } }
  t:event("Order Completed", order, ada)
  t:expect_nothing()
  t:event("Order Refunded", { order_id = "o1" }, ada)
  t:expect_sent("learning", "certificate.revoke", { status = "revoked" })
  t:event("Order Completed", { order_id = "o2", products = order.products }, ada)
  t:expect_sent("learning", "certificate.issue", { version = 3, reason = "reinstated" })
  t:expect_nothing()
end)

test("a dispute suspends, a won one brings it back, a lost one revokes for good", function(t)
  buy(t)
  earn(t)
  t:event("charge.dispute.created", { id = "dp_1", charge = "ch_1", reason = "product_not_received" }, ada)
  t:expect_sent("learning", "certificate.revoke", {
    status = "suspended", reason = "the payment is disputed: product_not_received",
  })
  t:event("charge.dispute.closed", { id = "dp_1", charge = "ch_1", status = "won" }, ada)
  t:expect_sent("learning", "certificate.issue", { version = 3, reason = "reinstated" })
  t:event("charge.dispute.closed", { id = "dp_2", charge = "ch_1", status = "needs_response" }, ada)
  t:expect_verdict("skipped", "decides nothing", { rule = "certificates/revoke" })
  t:event("charge.dispute.closed", { id = "dp_2", charge = "ch_1", status = "lost" }, ada)
  t:expect_sent("learning", "certificate.revoke", { status = "revoked", reason = "the dispute is lost" })
  t:event("Order Completed", { order_id = "o2", products = { { product_id = "course-lua-1" } } }, ada)
  t:expect_nothing()
end)

test("a warning of fraud suspends, unless the money went back already", function(t)
  buy(t)
  earn(t)
  t:event("radar.early_fraud_warning.created", { charge = "ch_1", actionable = false }, ada)
  t:expect_verdict("skipped", "given back already", { rule = "certificates/revoke" })
  t:event("radar.early_fraud_warning.created", {
    charge = "ch_1", actionable = true, fraud_type = "made_with_stolen_card",
  }, ada)
  t:expect_sent("learning", "certificate.revoke", {
    status = "suspended", reason = "the bank warns of fraud: made_with_stolen_card",
  })
  t:expect_nothing()
end)

test("fraud that cannot be traced to a course is put before a person, a refund is not", function(t)
  earn(t)
  t:event("charge.dispute.created", { charge = "ch_7" }, ada)
  t:expect_sent("learning", "certificate.review", {
    customer = "ada", charge = "ch_7", reason = "the payment is disputed: no reason given",
  })
  t:event("charge.dispute.closed", { charge = "ch_7", status = "won" }, ada)
  t:event("charge.refunded", { id = "ch_7", amount = 5, amount_refunded = 5 }, ada)
  t:event("Order Refunded", {}, ada)
  t:event("charge.refunded", {}, ada)
  t:expect_verdict("skipped", "only a part", { rule = "certificates/revoke" })
  t:expect_nothing()
end)

test("other people's certificates stay", function(t)
  earn(t)
  t:event("Order Refunded", { products = { { product_id = "course-lua-1" } } }, { user = "bob" })
  t:expect_nothing()
  t:event("Certificate Earned", {
    person = "bob", kind = "course", achievement = "lua-1",
  }, { thing = "certificate:course/lua-1/bob" })
  t:expect_ended("earned, and kept back: refund")
  t:expect_nothing()
end)

test("when one of two purchases is refunded the certificate stays, with the second refund it goes", function(t)
  local products = { { product_id = "course-lua-1" } }
  t:event("Order Completed", { order_id = "o1", products = products }, ada)
  t:event("Order Completed", { order_id = "o2", products = products }, ada)
  earn(t)
  t:event("Order Refunded", { order_id = "o2", products = products }, ada)
  t:event("Order Refunded", { order_id = "o2" }, ada)
  t:expect_verdict("ran", "another purchase pays for it", { rule = "certificates/revoke" })
  t:expect_nothing()
  t:event("Order Refunded", { order_id = "o1" }, ada)
  t:expect_sent("learning", "certificate.revoke", { status = "revoked" })
end)

test("one purchase that is known as an order and as a charge is one", function(t)
  t:event("Order Completed", { order_id = "o1", products = { { product_id = "course-lua-1" } } }, ada)
  buy(t)
  earn(t)
  t:event("charge.refunded", { id = "ch_1", amount = 5, amount_refunded = 5 }, ada)
  t:expect_sent("learning", "certificate.revoke", { status = "revoked" })
end)

test("an order that was refunded brings nothing back when it is told again, or later than its refund", function(t)
  local order = { order_id = "o1", products = { { product_id = "course-lua-1" } } }
  earn(t)
  t:event("Order Refunded", order, ada)
  t:expect_sent("learning", "certificate.revoke", { status = "revoked" })
  t:event("Order Completed", order, ada)
  t:event("Order Completed", order, ada)
  t:expect_nothing()
  t:event("Order Completed", { order_id = "o2", products = order.products }, ada)
  t:expect_sent("learning", "certificate.issue", { reason = "reinstated" })
end)

test("amounts that are none refund nothing", function(t)
  buy(t)
  earn(t)
  local wrongs = { { amount = "much", amount_refunded = 5 }, { amount = 5, amount_refunded = { 1 } }, { amount = true } }
  for _, wrong in ipairs(wrongs) do
    wrong.id = "ch_1"
    t:event("charge.refunded", wrong, ada)
    t:expect_verdict("skipped", "only a part", { rule = "certificates/revoke" })
  end
end)
