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

    -- Events: webinars, office hours, study groups, mentorship. Of a person and the thing "event:ID", unless noted.
    ["Event Registered"] = {
      event_id = "text", kind = "text", title = "text", starts_at = "time", ends_at = "time", timezone = "text",
      url = "text", location = "text",
    },
    ["Event Registration Cancelled"] = { event_id = "text" },
    ["Event Rescheduled"] = { event_id = "text", starts_at = "time", ends_at = "time" }, -- of the thing alone
    ["Event Cancelled"]   = { event_id = "text", reason = "text" },                      -- of the thing alone
    ["Event Joined"] = { event_id = "text", connection = "text" },
    ["Event Left"]   = { event_id = "text", connection = "text" },
    ["Event Ended"]  = {                                                                 -- of the thing alone
      event_id = "text", kind = "text", title = "text", starts_at = "time", ends_at = "time", recording_url = "text",
      credit = "text",
    },
    ["Event Waitlisted"] = {
      event_id = "text", kind = "text", title = "text", starts_at = "time", ends_at = "time", timezone = "text",
      url = "text", location = "text",
    },
    ["Event Seat Freed"]    = { event_id = "text" },                                     -- of the thing alone
    ["Event Seat Declined"] = { event_id = "text" },
    ["Event Host Added"]    = {
      event_id = "text", role = "text", kind = "text", title = "text", starts_at = "time", ends_at = "time",
      timezone = "text", url = "text", location = "text",
    },
    ["Event Host Removed"] = { event_id = "text" },
    -- Ours: what is told of the thing alone, brought to each registered person.
    ["Registration Moved"]  = {
      event_id = "text", kind = "text", title = "text", starts_at = "time", ends_at = "time", timezone = "text",
      url = "text", location = "text",
    },
    ["Registration Voided"] = { event_id = "text", reason = "text" },
    ["Registration Ended"]  = {
      event_id = "text", kind = "text", title = "text", starts_at = "time", ends_at = "time", recording_url = "text",
      credit = "text",
    },
    ["Registration Forgotten"] = { event_id = "text" },
    -- Ours: what the waiting list says to a person, and what the person's offer answers.
    ["Event Seat Offered"]     = { event_id = "text", starts_at = "time", hold_until = "time" },
    ["Event Waitlist Closed"]  = { event_id = "text", reason = "text" },
    ["Event Seat Passed"]      = { event_id = "text", person = "text" },
    ["Event Waitlist Counted"] = { event_id = "text", waiting = "integer" },

    -- Courses
    ["Course Enrolled"]  = { course_id = "text", title = "text", due_at = "time", order_id = "text" },
    ["Lesson Completed"] = { course_id = "text", lesson_id = "text", score = "number" },
    ["Course Completed"] = { course_id = "text", title = "text", score = "number" },
    ["Course Due Date Moved"] = { course_id = "text", due_at = "time" },

    -- Dunning: what billing tells beyond Stripe's fields, and what the rules of the pack tell each other
    ["invoice.payment_failed"] = {
      payment_method = "text", network = "text", failure_code = "text", advice = "text",
    },
    ["Invoice Unpaid"] = {
      id = "text", amount_remaining = "money", amount_due = "money", currency = "text", subscription = "text",
      hosted_invoice_url = "text", next_payment_attempt = "time", attempt_count = "integer", payment_method = "text", network = "text",
      failure_code = "text", advice = "text",
    },
    ["charge.failed"]     = { payment_method_details = "any" },
    ["payment.requested"] = {
      invoice = "text", amount = "money", currency = "text", network = "text", asked_by = "text", tried_at = "time",
      tried_times = "integer", code = "text", advice = "text", card_changed_at = "time", payment_method = "text",
    },
    ["payment.answered"]  = {
      invoice = "text", amount = "money", currency = "text", outcome = "text", reason = "text", code = "text",
      advice = "text", class = "text", next_at = "time",
    },
    ["Payment Tried"]      = { invoice = "text", card = "text", why = "text" },
    ["Payment Recovered"]  = { invoice = "text", amount = "money", currency = "text", by = "text", days = "integer" },
    ["Payment Lost"]       = { invoice = "text", amount = "money", currency = "text", tries = "integer", code = "text" },
    ["Payment Unresolved"] = { invoice = "text", amount = "money", currency = "text" },
    ["Payment Closed"]     = { invoice = "text", amount = "money", currency = "text", reason = "text", days = "integer" },
    ["Unpaid Invoices Changed"] = { count = "integer", since = "time" },
    ["Access Changed"]     = { access = "text", previous = "text", since = "time" },
    ["Card Expiring"]      = { card = "text", last4 = "text", ends_at = "time" },

    -- Certificates
    ["Name Corrected"] = { name = "text" },
    ["radar.early_fraud_warning.created"] = { id = "text", charge = "text", actionable = "boolean", fraud_type = "text" },
    -- Ours: what one rule of the pack tells another.
    ["Event Attended"] = {
      event_id = "text", kind = "text", title = "text", minutes = "integer", session_minutes = "integer",
      share_percent = "integer", attended = "boolean", credit = "text", ended_at = "time",
    },
    ["Course Passed"] = { course_id = "text", title = "text", score = "number" },
    ["Certificate Earned"] = {
      person = "text", name = "text", kind = "text", achievement = "text", title = "text", earned_at = "time",
      valid_days = "integer", score = "number", minutes = "integer", credit = "text", credits = "number",
    },
    ["Certificate Issued"] = {
      certificate_id = "text", kind = "text", achievement = "text", title = "text", version = "integer",
      expires_at = "time",
    },
    ["Certificate Withdrawn"]      = { certificate_id = "text", status = "text", reason = "text" },
    ["Certificate Name Corrected"] = { name = "text" },
    ["Certificate Suspended"]      = { cause = "text", reason = "text" },
    ["Certificate Revoked"]        = { cause = "text", reason = "text" },
    ["Certificate Reinstated"]     = { cause = "text", reason = "text" },
  },

  traits = {
    plan = "text", email = "text", name = "text", timezone = "text", billing_interval = "text", seats = "integer",
    payment_failing = "boolean", access = "text", open_tickets = "integer", health = "number", health_band = "text",
    health_reasons = "list", churned = "boolean", owner = "text", champion = "boolean", last_offer = "text",
    last_offer_at = "integer", opportunity = "number", opportunity_band = "text", opportunity_reasons = "list",
  },

  templates = {
    -- Upsell
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

    -- Churn
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

    -- Dunning
    ["payment.charge"]       = {
      invoice = "text", amount = "money", currency = "text", payment_method = "text", tried_at = "time",
    },
    ["payment.lookup"]       = { invoice = "text", payment_method = "text", tried_at = "time" },
    ["subscription.cancel"]  = { subscription = "text", invoice = "text" },
    ["dunning.reminder"]     = {
      customer = "text", invoice = "text", amount = "money", currency = "text", url = "text", tries = "integer",
      code = "text", next_try_at = "time",
    },
    ["dunning.new_card"]     = {
      customer = "text", invoice = "text", amount = "money", currency = "text", url = "text", code = "text",
      asked = "integer",
    },
    ["dunning.confirm"]      = {
      customer = "text", invoice = "text", amount = "money", currency = "text", url = "text", code = "text",
      asked = "integer",
    },
    ["dunning.review"]       = {
      customer = "text", invoice = "text", amount = "money", currency = "text", url = "text", code = "text",
      tries = "integer", end_action = "text",
    },
    ["dunning.lost"]         = {
      customer = "text", invoice = "text", amount = "money", currency = "text", url = "text", tries = "integer",
      code = "text", end_action = "text",
    },
    ["dunning.access"]       = { customer = "text", access = "text", previous = "text", since = "time" },
    ["dunning.card_expiring"] = { customer = "text", card = "text", last4 = "text", ends_at = "time" },
    ["cart.check"]           = { customer = "text", products = "list" },
    ["cart.reminder"]        = {
      customer = "text", number = "integer", amount = "money", currency = "text", products = "list",
      price_changed = "boolean",
    },

    -- Reminders
    ["reminder.event"] = {
      what = "text", customer = "text", event_id = "text", kind = "text", title = "text", starts_at = "time",
      ends_at = "time", timezone = "text", url = "text", location = "text",
    },
    ["reminder.calendar"] = {
      what = "text", customer = "text", event_id = "text", kind = "text", title = "text", starts_at = "time",
      ends_at = "time", timezone = "text", url = "text", location = "text", reason = "text", was_at = "time",
      sequence = "integer", calendar = "text", calendar_url = "text",
    },
    ["reminder.waitlist"] = {
      what = "text", customer = "text", event_id = "text", kind = "text", title = "text", starts_at = "time",
      ends_at = "time", timezone = "text", url = "text", location = "text", hold_until = "time", reason = "text",
    },
    ["reminder.follow_up"] = {
      what = "text", customer = "text", event_id = "text", kind = "text", title = "text", starts_at = "time",
      ends_at = "time", timezone = "text", url = "text", location = "text", minutes = "integer",
      share_percent = "integer", recording_url = "text",
    },
    ["reminder.host"] = {
      what = "text", customer = "text", event_id = "text", kind = "text", title = "text", starts_at = "time",
      ends_at = "time", timezone = "text", url = "text", location = "text", role = "text", reason = "text",
      was_at = "time", registrations = "integer", waiting = "integer",
    },
    ["reminder.course"] = {
      what = "text", customer = "text", course_id = "text", title = "text", due_at = "time", timezone = "text",
    },

    -- Certificates
    ["certificate.issue"] = {
      certificate_id = "text", version = "integer", reason = "text", customer = "text", name = "text", kind = "text",
      achievement = "text", title = "text", earned_at = "time", issued_at = "time", expires_at = "time",
      score = "number", minutes = "integer", credit = "text", credits = "number",
    },
    ["certificate.revoke"] = {
      certificate_id = "text", version = "integer", customer = "text", status = "text", reason = "text",
    },
    ["certificate.credits"] = {
      customer = "text", name = "text", source = "text", title = "text", credit = "text", credits = "number",
      minutes = "integer", year = "integer", year_total = "number", earned_at = "time",
    },
    ["certificate.review"] = { customer = "text", reason = "text", charge = "text" },
    ["certificate.renewal"] = {
      what = "text", customer = "text", certificate_id = "text", kind = "text", achievement = "text", title = "text",
      expires_at = "time", timezone = "text",
    },
  },

  -- Where there is no configuration at hand, as on a build server.
  destinations = { "billing", "crm", "learning" },
}
