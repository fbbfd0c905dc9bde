-- How likely is it that somebody has use for more? A score from 0 to 100 with its reasons, anew every morning. Sends
-- nothing to anybody: it keeps the traits opportunity, opportunity_band ("low", "some", "high") and
-- opportunity_reasons.
-- Reads "Usage Reported" { used, limit }, "Feature Blocked", "Feature Used" { feature } and the trait plan. The
-- weights, curves and bands stand in lib/opportunity.
local by     = use("lib/opportunity")
local plans  = use("lib/plans")
local score  = use("lib/score")
local day    = 86400 * 1000
local smallest_step = 3   -- a smaller change is not worth a new trait

return rule {
  title = "Judge every morning who has use for more",
  on    = every("05:00", { for_each = "user", segment = "customers" }),
  owner = "growth",
  run = function(event, customer)
    local traits = customer.traits
    check(plans.next_plan[traits.plan], "there is no larger plan")

    local used, limit = last("Usage Reported", "data.used", "30 days"), last("Usage Reported", "data.limit", "30 days")
    local percent = type(used) == "number" and type(limit) == "number" and limit > 0 and used * 100 / limit or nil
    local knocks = count("Feature Blocked", "90 days")
    local fresh = score.decay(math.min(100, knocks * 25), now() - (last("Feature Blocked", "90 days") or 0),
      by.half_life_days * day)
    local uses = count("Feature Used", "30 days")
    local before = count("Feature Used", "60 days") - uses
    local features = distinct("Feature Used", "data.feature", "30 days")
    local known_days = (now() - (first("Feature Used", "366 days") or now())) // day

    local value, known, parts = score.weigh({
      { name = "limit", value = score.rate(percent, by.curves.limit),
        text = percent and plans.percent(used, limit) .. " % of a limit are used" },
      { name = "gate", value = fresh, text = "tried " .. knocks .. " times what the plan does not have" },
      { name = "growth", value = before >= 5 and score.rate(uses / before, by.curves.growth) or nil,
        text = uses .. " uses in 30 days, " .. before .. " before" },
      { name = "breadth", value = score.rate(features, by.curves.breadth), text = features .. " features in 30 days" },
      { name = "loyalty", value = score.rate(known_days, by.curves.loyalty), text = known_days .. " days of use" },
    }, by.weights, "gained")
    check(known >= 0.5, "too little is known to judge")

    local band = score.band(value, by.bands, traits.opportunity_band, by.margin)
    local step = math.abs(value - (type(traits.opportunity) == "number" and traits.opportunity or -100))
    check(band ~= traits.opportunity_band or step >= smallest_step, "nothing has changed that matters")
    local reasons = score.top(parts, 3, "+")
    set { opportunity = value, opportunity_band = band, opportunity_reasons = #reasons > 0 and reasons or empty_list }
  end,
}
