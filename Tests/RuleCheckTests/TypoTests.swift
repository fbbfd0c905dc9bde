// How much of what people mistype is found, on which line, and with which suggestion.
//
// Thread: the test's own. Promise: the shares of the classes are those of their table; the same typos every
// time.

import Basics
import Model
import RuleCheck
import Rules
import Testing

@Suite struct TypoTests {
  static let count = 600

  /// What the journeys and the small rules speak of.
  static let moreCatalogue = """
    return catalog {
      events = {
        trial_started = { plan = "text", seats = "integer" }, project_created = { project = "text" },
        plan_bought = { plan = "text" }, webinar_registered = { webinar = "text", title = "text", starts_at = "time" },
        webinar_moved = { webinar = "text", title = "text", starts_at = "time" }, webinar_cancelled = "any",
        webinar_left = "any", webinar_ended = "any", webinar_attended = { webinar = "text" },
        feature_locked = { feature = "text", plan = "text" }, plan_upgraded = { plan = "text" },
        usage_limit_approaching = { metric = "text", percent = "number", plan = "text" },
        course_finished = { course = "text", score = "number" }, cancellation_started = { reason = "text" },
        session_started = "any",
        ["invoice.payment_failed"] = { invoice = "text", attempt = "integer", amount = "money", currency = "text" },
        ["invoice.paid"] = { invoice = "text", amount = "money", currency = "text" },
      },
      traits = { payment_failing = "boolean", plan = "text", quoted = "boolean", quoted_at = "time" },
      templates = {
        ["certificate.order"] = "any", ["churn.save_offer"] = "any", ["churn.at_risk"] = "any",
        ["churn.gone_quiet"] = "any", ["payment.recovered"] = "any",
        ["payment.reminder"] = "any", ["payment.review"] = "any", ["upsell.offer"] = "any",
        ["upsell.locked_features"] = "any", ["webinar.reminder"] = "any",
        ["webinar.confirmation"] = "any", ["payment.retry"] = "any", ["dunning.reminder"] = "any",
        ["dunning.exhausted"] = "any", ["trial.welcome"] = "any", ["trial.help"] = "any",
        ["quote.make"] = "any",
        ["webinar.starts"] = { text = "text", at = "time" },
      },
    }
    """

  static let vocabulary = TypoMaker.Vocabulary(
    words: Set(HostWords.all.map(\.name)).union(["ipairs", "tostring", "state"]),
    headerKeys: Set(HeaderKeys.all.map(\.name)),
    events: [
      "trial_started", "project_created", "plan_bought", "webinar_registered", "webinar_moved", "webinar_cancelled",
      "webinar_left", "webinar_ended", "usage_limit_approaching", "course_finished", "cancellation_started",
      "invoice.payment_failed", "invoice.paid", "invoice.voided", "feature_locked", "plan_upgraded",
    ],
    fields: [
      "data", "id", "traits", "name", "plan", "seats", "project", "webinar", "title", "starts_at", "metric", "percent",
      "course", "score", "reason", "invoice", "attempt", "amount", "currency", "payment_failing", "ok", "unknown",
      "status", "next_plan", "starts", "feature",
    ],
    names: [
      "crm", "billing", "learning", "certificate.order", "churn.save_offer", "payment.recovered", "payment.reminder",
      "payment.review", "upsell.offer", "webinar.confirmation", "payment.retry", "dunning.reminder",
      "dunning.exhausted", "trial.welcome", "trial.help", "quote.make", "webinar.starts", "upsell.locked_features",
    ],
    options: ["within", "match", "tries", "days", "at", "up_to"],
    choices: ["never", "always", "account", "restart", "Europe/Berlin"])

  static let files: [RuleSource] = {
    let journeys = ["recovery", "trial", "webinar"].enumerated().map {
      RuleSource(path: "journeys/\($0.element).lua", text: GoodRules.journeys[$0.offset])
    }
    return SmallRules.all.filter { $0.kind == .rule } + journeys
  }()
  static let libraries: [RuleSource] =
    SmallRules.all.filter { $0.kind == .library || $0.kind == .segment } + [
      RuleSource(path: "lib/texts.lua", text: GoodRules.libraries["lib/texts.lua"]!)
    ]

  static let seeds: [UInt64] = [20, 21, 22]

  static func typos(_ seed: UInt64) -> [Typo] {
    var random = SeededRandom(seed: seed)
    var out: [Typo] = []
    for kind in TypoClass.allCases {
      let wanted = count * kind.share / 100
      var made = 0
      var tries = 0
      while made < wanted, tries < wanted * 50 {
        tries += 1
        let source = files[Int(random.next(below: UInt64(files.count)))]
        guard let typo = TypoMaker(source, vocabulary).make(kind, &random) else { continue }
        out.append(typo)
        made += 1
      }
    }
    return out
  }

  private static func found(_ typo: Typo, _ world: World) -> [Finding] {
    RuleCheck.findings(sources: libraries + [RuleSource(path: typo.path, text: typo.text)], world: world)
  }

  @Test func `the shares of the classes add up to a hundred`() {
    #expect(TypoClass.allCases.count == 12)
    #expect(TypoClass.allCases.map(\.share).reduce(0, +) == 100)
  }

  @Test func `nothing is said before a typo is made`() throws {
    let world = Checking.world(try Checking.catalogue(TypoTests.moreCatalogue).0)
    let findings = RuleCheck.findings(sources: TypoTests.files + TypoTests.libraries, world: world)
    #expect(findings.isEmpty, "\(Checking.lines(findings))")
  }

  @Test func `a typo is told once, also where the loader has something to say`() {
    let around = TypoTests.libraries + [RuleSource(path: "catalog.lua", text: TypoTests.moreCatalogue)]
    var told: [String] = []
    let typos = TypoTests.typos(20)
    for typo in typos {
      let report = RuleCheck.check(
        sources: around + [RuleSource(path: typo.path, text: typo.text)], knownDestinations: Checking.destinations,
        zones: { ["Europe/Berlin"] })
      if report.findings.count != 1 { told.append("\(typo) – \(Checking.lines(report.findings))") }
    }
    #expect(told.count * 20 <= typos.count, "told more or less than once:\n\(told.joined(separator: "\n"))")
  }

  @Test(arguments: seeds) func `nearly every typo is found, on its line, with what was meant`(seed: UInt64) throws {
    let world = Checking.world(try Checking.catalogue(TypoTests.moreCatalogue).0)
    let typos = TypoTests.typos(seed)
    try #require(typos.count >= 500)
    for kind in TypoClass.allCases {
      #expect(typos.filter { $0.kind == kind }.count >= TypoTests.count * kind.share / 100, "too few of \(kind)")
    }
    var missed: [String] = []
    var elsewhere: [String] = []
    var misled: [String] = []
    var suggestible = 0
    for typo in typos {
      let findings = TypoTests.found(typo, world)
      if findings.isEmpty { missed.append("\(typo)") }
      let exact = findings.filter { typo.lines.contains($0.line) }
      if exact.isEmpty { elsewhere.append("\(typo) – \(Checking.lines(findings))") }
      if let original = typo.original {
        suggestible += 1
        if !findings.contains(where: { $0.suggestion == original }) {
          misled.append("\(typo) – \(Checking.lines(findings))")
        }
      }
    }
    #expect(missed.count * 100 <= typos.count, "missed:\n\(missed.joined(separator: "\n"))")
    #expect(elsewhere.count * 10 <= typos.count, "on other lines:\n\(elsewhere.joined(separator: "\n"))")
    #expect(misled.count * 10 <= suggestible, "other suggestions:\n\(misled.joined(separator: "\n"))")
    if Checking.isVerbose {
      print("typos \(typos.count): missed \(missed.count), on another line \(elsewhere.count),")
      print("with another suggestion \(misled.count) of \(suggestible)")
      print((missed + elsewhere + misled).joined(separator: "\n"))
    }
  }
}
