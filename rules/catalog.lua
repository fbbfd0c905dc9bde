-- What the rules of this folder may speak of: events with their fields, traits, and the types of what they
-- send. `nudged check` holds every rule against it. Amounts are in minor units.
return catalog {
  events = {
    -- Upsell
    ["Usage Reported"]  = { metric = "text", used = "number", limit = "number", period_end = "time" },
    ["Feature Used"]    = { feature = "text" },
    ["Feature Blocked"] = { feature = "text", plan = "text" },
    ["Subscription Upgraded"]   = { subscription = "text", plan = "text", amount = "money", currency = "text" },
    ["Subscription Downgraded"] = { subscription = "text", plan = "text", amount = "money", currency = "text" },

    -- Support and churn
    ["Ticket Opened"] = { ticket_id = "text", priority = "text" },
    ["Ticket Solved"] = { ticket_id = "text", rating = "integer" },
    ["Cancellation Started"] = { subscription = "text", reason = "text" },
    ["Downgrade Requested"]  = { from = "text", to = "text" },
    ["Task Done"]            = { task_id = "text" },
    -- Made by the rules of churn, about people, accounts and the report
    ["Seat Active"]           = { user = "text" },
    ["Health Band Changed"]   = { from = "text", to = "text", health = "number", reasons = "list" },
    ["Champion Band Changed"] = { user = "text", band = "text" },
    ["Champion Left"]         = { user = "text" },
    ["Customer Churned"]      = { subscription = "text", reason = "text", health = "number", band = "text" },
    ["Customer Returned"]     = { subscription = "text" },
    ["Health Sampled"]        = { band = "text", cohort = "text" },
    ["Sampled Customer Churned"] = { band = "text", cohort = "text" },
    ["Health Report Asked"]   = { due = "time" },
    ["Trial Converted"]       = { subscription = "text" },

    -- Events: webinars, office hours, study groups, mentorship
    ["Event Registered"] = {
      event_id = "text", kind = "text", title = "text", starts_at = "time", ends_at = "time", timezone = "text",
      url = "text", location = "text",
    },
    ["Event Rescheduled"] = { event_id = "text", starts_at = "time", ends_at = "time" },
    ["Event Cancelled"]   = { event_id = "text", reason = "text" },
    ["Event Registration Cancelled"] = { event_id = "text" },
    ["Event Joined"] = { event_id = "text" },
    ["Event Left"]   = { event_id = "text" },
    ["Event Ended"]  = { event_id = "text" },

    -- Courses
    ["Course Enrolled"]  = { course_id = "text", title = "text", due_at = "time" },
    ["Lesson Completed"] = { course_id = "text", lesson_id = "text", score = "number" },
    ["Course Completed"] = { course_id = "text", title = "text", score = "number" },
    ["Course Due Date Moved"] = { course_id = "text", due_at = "time" },

    -- The names of the first sample rules; they go as their packs come
    webinar_registered       = { webinar = "text", title = "text", starts_at = "time" },
    webinar_moved            = { starts_at = "time" },
    webinar_cancelled        = {},
    course_finished          = { course = "text", score = "number" },
    ["invoice.payment_failed"] = { invoice = "text", attempt = "integer", amount = "money", currency = "text" },
    ["invoice.paid"]         = { invoice = "text", amount = "money", currency = "text" },
    ["invoice.voided"]       = { invoice = "text" },
  },

  traits = {
    plan = "text", email = "text", name = "text", timezone = "text", billing_interval = "text", seats = "integer",
    payment_failing = "boolean", access = "text", open_tickets = "integer", health = "number", health_band = "text",
    health_reasons = "list", churned = "boolean", owner = "text", champion = "boolean", last_offer = "text",
    last_offer_at = "integer", opportunity = "number", opportunity_band = "text", opportunity_reasons = "list",
  },

  templates = {
    ["certificate.order"]    = { customer = "text", course = "text", score = "number" },
    ["churn.silence"]        = { customer = "text", since = "time", days = "integer", owner = "text" },
    ["churn.usage_drop"]     = { customer = "text", used = "integer", usual = "integer", owner = "text" },
    ["churn.champion_left"]  = { customer = "text", account = "text", owner = "text" },
    ["churn.downgrade_asked"] = {
      customer = "text", from = "text", to = "text", loses = "list", health_band = "text", owner = "text",
    },
    ["churn.save_offer"]     = {
      customer = "text", subscription = "text", reason = "text", offer = "text", text = "text",
    },
    ["churn.trial_help"]     = { customer = "text", trial_end = "time", features = "integer", sign_ins = "integer" },
    ["churn.task"]           = {
      task_id = "text", account = "text", owner = "text", health = "number", reasons = "list", due_at = "time",
    },
    ["churn.task_reminder"]  = { task_id = "text", account = "text", owner = "text" },
    ["churn.task_escalated"] = { task_id = "text", account = "text", owner = "text", to = "text" },
    ["churn.task_closed"]    = { task_id = "text", account = "text", reason = "text" },
    ["churn.win_back"]       = { customer = "text", step = "integer", reason = "text" },
    ["churn.score_check"]    = {
      cohort = "text", text = "text", verdict = "text", risk = "integer", risk_left = "integer",
      watch = "integer", watch_left = "integer", good = "integer", good_left = "integer",
    },
    ["dunning.exhausted"]    = { customer = "text", invoice = "text" },
    ["dunning.reminder"]     = { customer = "text", invoice = "text", attempt = "integer" },
    ["payment.recovered"]    = { customer = "text", invoice = "text" },
    ["payment.reminder"]     = { customer = "text", invoice = "text", amount = "money", currency = "text" },
    ["payment.retry"]        = { invoice = "text", attempt = "integer" },
    ["payment.review"]       = { customer = "text", invoice = "text", failures = "integer" },
    ["upsell.offer"]         = {
      customer = "text", offer = "text", reason = "text", plan = "text", metric = "text", used = "number",
      limit = "number", percent = "integer", features = "list", attempts = "integer", product = "text",
      seats = "integer", saving = "money", currency = "text",
    },
    ["upsell.limit_reached"] = {
      customer = "text", metric = "text", used = "number", limit = "number", period_end = "time",
    },
    ["upsell.lead"]          = {
      customer = "text", opportunity = "number", reasons = "list", plan = "text", owner = "text",
    },
    ["webinar.reminder"]     = { customer = "text", title = "text", starts_at = "time" },
    ["webinar.confirmation"] = { customer = "text", webinar = "text", title = "text", starts_at = "time" },
  },

  -- Where there is no configuration at hand, as on a build server.
  destinations = { "billing", "crm", "learning" },
}
