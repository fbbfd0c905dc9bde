// Small rules of all kinds, for what is done to rules by the thousand: short enough that every line of theirs is mistyped
// once, and the same for ever, so that figures can be compared.
//
// Thread: constants. Promise: nobody ships these; the packs change without them.

import Rules

enum SmallRules {
  static let all = texts.map { RuleSource(path: $0.key, text: $0.value) }.sorted { $0.path < $1.path }

  private static let texts: [String: String] = [
    "certificates/course_finished.lua": #"""
    -- A finished course with enough points earns a certificate, once for each course.
    -- Event: course_finished { course, score }
    return rule {
      title = "Order a certificate for a finished course",
      on    = "course_finished",
      key   = "data.course",
      again = "never",
      when  = function(event) return (event.data.score or 0) >= 70 end,
      run = function(event, customer)
        send("learning", "certificate.order", { customer = customer.id, course = event.data.course, score = event.data.score })
      end,
    }

    """#,
    "churn/at_risk.lua": #"""
    -- Someone has come to be at risk: tell success, once in 60 days.
    return rule {
      title = "Tell success of a customer at risk",
      on    = enters("at_risk"),
      again = "60 days",
      run = function(event, customer)
        send("crm", "churn.at_risk", { customer = customer.id, plan = customer.traits.plan })
      end,
    }

    """#,
    "churn/cancellation_started.lua": #"""
    -- Someone opened the cancellation page: make the save offer, once and never again.
    return rule {
      title = "Make the save offer when a cancellation starts",
      on    = "cancellation_started",
      again = "never",
      run = function(event, customer)
        check(not customer.traits.payment_failing, "a payment is failing: no offers now")
        send("crm", "churn.save_offer", { customer = customer.id, reason = event.data.reason })
      end,
    }

    """#,
    "churn/gone_quiet.lua": #"""
    -- Nobody was here for 14 days: ask after them at that moment, not with the next nightly job.
    return rule {
      title = "Ask after a customer who has gone quiet",
      on    = absence { of = "session_started", lasting = "14 days" },
      topic = "offers",
      run = function(event, customer)
        check(not customer.traits.payment_failing, "a payment is failing: that comes first")
        send("crm", "churn.gone_quiet", { customer = customer.id, since = event.data.since })
      end,
    }

    """#,
    "dunning/mark_failing.lua": #"""
    -- Remember that a payment is failing, so that other rules hold back.
    return rule {
      title    = "Mark customers whose payment is failing",
      on       = "invoice.payment_failed",
      priority = 10,
      run = function(event, customer) set { payment_failing = true } end,
    }

    """#,
    "dunning/payment_failed.lua": #"""
    -- A payment failed: ask the customer to look at it, and tell billing how often it has happened.
    -- Event: invoice.payment_failed { invoice, amount, currency }, amounts in minor units.
    return rule {
      title = "Ask for another try when a payment failed",
      on    = "invoice.payment_failed",
      class = "transactional",
      run = function(event, customer)
        state.failures = (state.failures or 0) + 1
        send("billing", "payment.review", { customer = customer.id, invoice = event.data.invoice, failures = state.failures })
        send("crm", "payment.reminder", {
          customer = customer.id, invoice = event.data.invoice, amount = event.data.amount, currency = event.data.currency,
        })
      end,
    }

    """#,
    "dunning/payment_recovered.lua": #"""
    -- The invoice is paid after all: say thank you and forget the failures.
    return rule {
      title = "Say thank you when a failed payment was recovered",
      on    = "invoice.paid",
      run = function(event, customer)
        check(customer.traits.payment_failing, "no payment had failed")
        set { payment_failing = null }
        send("crm", "payment.recovered", { customer = customer.id, invoice = event.data.invoice })
      end,
    }

    """#,
    "dunning/recover_payment.lua": #"""
    -- A failed payment is tried again after 1, 3, 5 and 7 days, with a reminder each time it fails again.
    -- Ends at once when the invoice is paid or voided. One run for each invoice.
    -- Event: invoice.payment_failed { invoice, attempt }; attempt is 1, or missing, the first time.
    return rule {
      title   = "Recover a failed payment within 16 days",
      on      = "invoice.payment_failed",
      key     = "data.invoice",
      stop_on = { "invoice.paid", "invoice.voided" },
      when    = function(event) return (event.data.attempt or 1) == 1 end,
      class   = "transactional",
      run = function(event, customer)
        for attempt, pause in ipairs { "1 day", "3 days", "5 days", "7 days" } do
          wait(pause)
          local reply = call("billing", "payment.retry", { invoice = event.data.invoice, attempt = attempt })
          if reply.ok then return finish("recovered") end
          send("crm", "dunning.reminder", { customer = customer.id, invoice = event.data.invoice, attempt = attempt })
        end
        send("crm", "dunning.exhausted", { customer = customer.id, invoice = event.data.invoice })
        finish("exhausted")
      end,
    }

    """#,
    "events/registration.lua": #"""
    -- Confirm a registration, once for each webinar.
    -- Event: webinar_registered { webinar, title, starts_at }
    return rule {
      title = "Confirm a webinar registration",
      on    = "webinar_registered",
      key   = "data.webinar",
      again = "never",
      run = function(event, customer)
        send("crm", "webinar.confirmation", {
          customer = customer.id, webinar = event.data.webinar, title = event.data.title, starts_at = event.data.starts_at,
        })
      end,
    }

    """#,
    "events/reminder.lua": #"""
    -- Remind of a webinar in the evening before, by the customer's own clock, wherever its date moves to.
    -- Events: webinar_registered { webinar, title, starts_at } of a customer and the thing "webinar:…", and of that
    -- thing alone webinar_moved { starts_at } and webinar_cancelled.
    return rule {
      title = "Remind of a webinar in the evening before",
      on    = before("data.starts_at", { days = 1, at = "18:00" }, {
        event = "webinar_registered", moved = "webinar_moved", cancelled = "webinar_cancelled",
      }),
      key   = "thing",  -- one reminder for each webinar
      late  = "skip",   -- who registers later than that has just read the date
      run = function(event, customer, date)
        send("crm", "webinar.reminder", { customer = customer.id, title = event.data.title, starts_at = date })
      end,
    }

    """#,
    "lib/plans.lua": #"""
    -- The plans that are sold, from small to large, and what comes next. Edit here, not in the rules.
    local plans = { "free", "team", "business", "enterprise" }

    local next_plan = {}
    for position, plan in ipairs(plans) do next_plan[plan] = plans[position + 1] end

    return { plans = plans, next_plan = next_plan }

    """#,
    "segments/at_risk.lua": #"""
    -- Customers who pay and were hardly here for two weeks. Once inside, it takes four visits to be out again.
    return segment {
      title = "Paying, and hardly here",
      when  = function(customer)
        local fewest = state.inside and 4 or 2
        return customer.traits.plan ~= nil and count("session_started", "14 days") < fewest
      end,
    }

    """#,
    "upsell/limit_near.lua": #"""
    -- Someone is about to hit a limit of their plan: offer the next one, once in 30 days per limit. Who
    -- has withdrawn consent to offers gets none.
    -- Event: usage_limit_approaching { metric, percent, plan }
    local sold = use("lib/plans")

    return rule {
      title = "Offer a larger plan when a limit is near",
      on    = "usage_limit_approaching",
      key   = "data.metric",
      again = "30 days",
      topic = "offers",
      when  = function(event) return (event.data.percent or 0) >= 80 end,
      run = function(event, customer)
        local offered = sold.next_plan[event.data.plan]
        check(offered, "there is no larger plan")
        state.offers = (state.offers or 0) + 1
        send("crm", "upsell.offer", {
          customer = customer.id, metric = event.data.metric, percent = event.data.percent, plan = offered,
        })
      end,
    }

    """#,
    "upsell/locked_features.lua": #"""
    -- Someone tries what their plan does not have, again and again: one message about all of it, and not one for each
    -- attempt. Five attempts are enough at once; fewer are told of an hour after the first. Once in 14 days.
    -- Event: feature_locked { feature, plan }
    local sold = use("lib/plans")

    return rule {
      title   = "Offer the plan that has what was tried",
      on      = "feature_locked",
      collect = { up_to = 5, within = "1 hour" },
      stop_on = "plan_upgraded",
      again   = "14 days",
      topic   = "offers",
      when    = function(event) return sold.next_plan[event.data.plan] ~= nil end,
      run = function(event, customer, events)
        local tried, seen = {}, {}
        for _, attempt in ipairs(events) do
          local feature = attempt.data.feature
          if feature and not seen[feature] then
            seen[feature] = true
            table.insert(tried, feature)
          end
        end
        check(#events > 1, "one attempt alone may be a slip")
        send("crm", "upsell.locked_features", {
          customer = customer.id, features = tried, attempts = #events, plan = sold.next_plan[event.data.plan],
        })
      end,
    }

    """#,
  ]
}
