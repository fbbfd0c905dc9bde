-- What leaves for Stripe's API when the destination billing is Stripe itself: see the page of the dunning pack. The
-- preset "stripe" sends forms with the API key, and the webhook's id as Idempotency-Key: a request that is repeated
-- on the wire charges once.

-- Whatever an event has brought along, it leads nowhere else.
local function id(value)
  assert(type(value) == "string" and value:find("^[%w_]+$"), "Stripe's ids are letters, digits and underscores")
  return value
end

local requests = {
  -- Pays the invoice with this card. Stripe answers with the invoice, or 402 with the decline.
  ["payment.charge"] = function(data)
    return {
      path = "/v1/invoices/" .. id(data.invoice) .. "/pay",
      data = { payment_method = id(data.payment_method), off_session = true, expand = { "payment_intent" } },
    }
  end,
  -- Writes a note to the invoice, because a transform has no GET; the answer is the invoice as it is now.
  ["payment.lookup"] = function(data)
    return {
      path = "/v1/invoices/" .. id(data.invoice),
      data = { metadata = { looked_up_try = tostring(data.tried_at or "") }, expand = { "payment_intent" } },
    }
  end,
  ["subscription.cancel"] = function(data)
    return { path = "/v1/subscriptions/" .. id(data.subscription), method = "DELETE", data = {} }
  end,
}

return function(message)
  local request = requests[message.type]
  return request and request(message.data)
end
