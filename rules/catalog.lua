-- What the rules of this folder may speak of: events with their fields, traits, and the types of what they
-- send. `nudged check` holds every rule against it. Amounts are in minor units.
return catalog {
  events = {
    usage_limit_approaching  = { metric = "text", percent = "number", plan = "text" },
    feature_locked           = { feature = "text", plan = "text" },
    plan_upgraded            = { plan = "text" },
    webinar_registered       = { webinar = "text", title = "text", starts_at = "time" },
    webinar_moved            = { starts_at = "time" },
    webinar_cancelled        = {},
    course_finished          = { course = "text", score = "number" },
    cancellation_started     = { reason = "text" },
    session_started          = {},
    ["invoice.payment_failed"] = { invoice = "text", attempt = "integer", amount = "money", currency = "text" },
    ["invoice.paid"]         = { invoice = "text", amount = "money", currency = "text" },
    ["invoice.voided"]       = { invoice = "text" },
  },

  traits = { payment_failing = "boolean", plan = "text" },

  templates = {
    ["certificate.order"]    = { customer = "text", course = "text", score = "number" },
    ["churn.at_risk"]        = { customer = "text", plan = "text" },
    ["churn.gone_quiet"]     = { customer = "text", since = "text" },
    ["churn.save_offer"]     = { customer = "text", reason = "text" },
    ["dunning.exhausted"]    = { customer = "text", invoice = "text" },
    ["dunning.reminder"]     = { customer = "text", invoice = "text", attempt = "integer" },
    ["payment.recovered"]    = { customer = "text", invoice = "text" },
    ["payment.reminder"]     = { customer = "text", invoice = "text", amount = "money", currency = "text" },
    ["payment.retry"]        = { invoice = "text", attempt = "integer" },
    ["payment.review"]       = { customer = "text", invoice = "text", failures = "integer" },
    ["upsell.offer"]         = { customer = "text", metric = "text", percent = "number", plan = "text" },
    ["upsell.locked_features"] = { customer = "text", features = "list", attempts = "integer", plan = "text" },
    ["webinar.reminder"]     = { customer = "text", title = "text", starts_at = "time" },
    ["webinar.confirmation"] = { customer = "text", webinar = "text", title = "text", starts_at = "time" },
  },
}
