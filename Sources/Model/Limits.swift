// Every limit of the house in one file, with its reason where it is not plain. Limits that must stand
// in a relation to each other are checked by the tests of this room.
//
// Thread: constants. Promise: a number that bounds something stands here and nowhere else.

package enum Limits {
  // Requests.
  package static let requestHeadBytes = 16 * 1024
  package static let requestHeaders = 100
  package static let requestTargetBytes = 4 * 1024
  /// The largest body of any path; single paths allow less.
  package static let requestBodyBytes = 5 * 1024 * 1024
  package static let nativeBodyBytes = 1024 * 1024
  /// What a compressed body may grow to, in all and as a ratio.
  package static let inflatedBodyBytes = 16 * 1024 * 1024
  package static let inflationRatio = 100
  package static let connections = 4096
  package static let connectionsPerAddress = 1024
  package static let pipelinedRequests = 16
  package static let headDeadlineMilliseconds: Int64 = 10_000
  package static let bodyDeadlineMilliseconds: Int64 = 30_000
  package static let idleDeadlineMilliseconds: Int64 = 75_000
  package static let writeDeadlineMilliseconds: Int64 = 30_000
  /// How long a refused client may take to read why, while what it still sends is thrown away.
  package static let lingerDeadlineMilliseconds: Int64 = 2_000
  /// Connections kept free for the admin listener when the public one is full.
  package static let adminConnections = 16
  /// What all unfinished requests together may hold in memory; one byte more is answered 503.
  package static let heldRequestBytes = 256 * 1024 * 1024
  /// Waiting output of one connection above which no further request of it is read.
  package static let waitingOutputBytes = 256 * 1024
  /// What a streaming answer may have queued before its writer is told to wait.
  package static let streamQueueBytes = 256 * 1024

  // Events.
  package static let eventBytes = 64 * 1024
  package static let eventsPerRequest = 10_000
  package static let eventNameBytes = 200
  package static let eventIdBytes = 200
  package static let subjectIdBytes = 200
  package static let namespaceBytes = 32
  package static let jsonDepth = 64
  package static let clockSkewMilliseconds: Int64 = 5 * 60 * 1000
  package static let causalDepth = 8
  /// How many events one event from outside may cause in all, by whatever chain of rules. Each emitted
  /// event carries its share of what is left, so that no count has to be kept between lanes.
  package static let emittedPerEvent = 1_000

  // Rules: per run unless said otherwise.
  package static let ruleSourceBytes = 64 * 1024
  package static let ruleInstructions = 1_000_000
  /// A rule without loops of at most this many instructions runs without the instruction hook.
  package static let ruleStraightInstructions = 256
  package static let ruleCPUMilliseconds: Int64 = 100
  package static let ruleMemoryGrowthBytes = 8 * 1024 * 1024
  package static let ruleStateMemoryBytes = 64 * 1024 * 1024
  /// The largest single block: a text, or what holds the elements of one table.
  package static let ruleBlockBytes = 2 * 1024 * 1024
  package static let ruleEffects = 100
  package static let topicBytes = 64
  /// Into how many stretches a window is divided: it is exact to one of them.
  package static let windowBuckets = 60
  package static let windowMinimumMilliseconds: Int64 = 60_000
  package static let windowMilliseconds: Int64 = 366 * 86_400_000
  /// Different values that a window tells apart; with more it answers this number.
  package static let windowDistinct = 1_000
  /// Of one value that `first` and `last` keep, as JSON.
  package static let windowValueBytes = 200
  /// What all windows of one event keep of one subject: it is one row, written anew with every such event.
  package static let windowBytes = 262_144
  package static let windowsPerRule = 32
  /// Of these, so many `distinct`: each may keep a thousand values, all of which are written with every new one.
  package static let distinctWindowsPerRule = 4
  /// How many events of the log a lane looks at in one step for windows that are new, besides other work and
  /// without it; and how much later than their time they may have come.
  package static let fillEvents = 200
  package static let fillEventsIdle = 2_000
  /// How many events a lane emitted it remembers for a book that is on its way.
  package static let ownEvents = 20_000
  /// Likewise subjects, for absences and segments that are new.
  package static let walkedSubjects = 100
  package static let walkedSubjectsIdle = 1_000
  /// How many subjects of a schedule begin in a second, where it does not say.
  package static let scheduleRatePerSecond = 1_000
  package static let scheduleHighestRatePerSecond = 100_000
  /// A segment that asks what time it is is looked at so often.
  package static let segmentLookMilliseconds: Int64 = 3_600_000
  package static let fillSlackMilliseconds: Int64 = 3_600_000
  package static let callTries = 10
  /// What a cap may allow, and how much of what was sent is remembered for it.
  package static let cappedMessages = 1_000
  /// Consents and held webhooks of one subject.
  package static let consentTopics = 1_000
  package static let heldWebhooks = 100
  package static let heldBytes = 256 * 1024
  package static let ruleLogBytes = 64 * 1024
  package static let ruleArgumentBytes = 64 * 1024
  package static let ruleIndexOperators = 4_000
  package static let rules = 10_000
  package static let rulesPerEvent = 1_000
  package static let stateKeys = 64
  package static let stateBytes = 8 * 1024
  package static let traitsBytes = 32 * 1024
  package static let keyBytes = 200
  package static let verdictReads = 8
  package static let verdictBytes = 256

  // Runs that wait.
  /// Entries and bytes of a run's journal; beyond them it must be cut short with checkpoint.
  package static let journalEntries = 10_000
  package static let journalBytes = 1024 * 1024
  /// From here on the log says that a journal grows.
  package static let journalWarningEntries = 1_000
  /// What playing a run again may cost: so much, and so much more for each entry of its journal.
  package static let replayUnits = 1_000_000
  package static let replayUnitsPerEntry = 2_000
  /// Events a run has heard and not waited for yet; the oldest go first.
  package static let heardEvents = 1_000
  /// Events that one run may collect before it begins.
  package static let collectedEvents = 1_000
  /// Runs of one subject that live at the same time, of all rules.
  package static let runsPerSubject = 1_000
  /// Runs with the same key that a rule with `second = "parallel"` may have, unless it says otherwise.
  package static let parallelRuns = 10
  /// The longest time a run can wait in one go.
  package static let waitMilliseconds: Int64 = 10 * 366 * 86_400_000
  /// How many days a step of the calendar may lie ahead.
  package static let daysAhead = 3_660
  /// Events of a thing among which the newest one with a date is looked for.
  package static let dateLookBack = 1_000
  package static let callReplyBytes = 64 * 1024
  /// A reply as a run reads it: a text of which every byte needs an escape, and what stands around it.
  package static let storedReplyBytes = 6 * callReplyBytes + 4 * 1024
  /// Names that one wait_any may wait for.
  package static let awaitedNames = 1_000
  /// Other subjects whose events one run listens to; the one it asked for first goes first.
  package static let listenedSubjects = 1_000
  /// Timers that are held in memory at once, by each lane.
  package static let timersInMemory = 20_000
  /// Due timers a lane takes in one step.
  package static let timersPerStep = 256
  /// For so many subjects a lane does by itself what is not on disk yet: far fewer than its cache holds.
  package static let subjectsAhead = 8_192

  /// A timer that fires later than this is late: its daemon was down, its rule was paused, or its lane is behind.
  package static let lateMilliseconds: Int64 = 60_000
  /// A calendar file can be fetched for so long after its entry is over.
  package static let calendarKeptMilliseconds: Int64 = 90 * 86_400_000
  /// Late timers that fire in a second, of one rule in all lanes, unless it is configured.
  package static let catchUpRate = 100
  /// Late timers that a lane fires in a second, of all its rules: what comes in has to find time between them.
  package static let lateTimersPerSecond = 500
  /// Late timers of one rule that a lane holds in memory; the others wait in the store.
  package static let lateTimersPerRule = 20_000
  /// Rows of late timers that a lane looks at in one step.
  package static let lateTimersPerLook = 64
  /// What is later than this is parked, unless its rule says otherwise.
  package static let staleMilliseconds: Int64 = 7 * 86_400_000
  /// A wall clock that jumps forward by more than this is believed once it has stood for so long.
  package static let clockJumpMilliseconds: Int64 = 5 * 60_000
  package static let clockTrialMilliseconds: Int64 = 60_000

  /// So many limits met within so long switch a rule off.
  package static let violations = 5
  package static let violationWindowMilliseconds: Int64 = 600_000

  // Tests of rules and scenarios, in virtual time.
  /// The second net of one test: each of its steps is a run of the whole engine.
  package static let testCPUMilliseconds: Int64 = 30_000
  /// How often runs may wake in one stretch of time, in a test and in a scenario; more is a rule that goes
  /// round in circles.
  package static let testWakes = 100_000
  package static let scenarioWakes = 2_000_000
  package static let testJobs: Int64 = 64

  // Deliveries.
  package static let deliveryBodyBytes = 256 * 1024
  package static let responseBytes = 16 * 1024
  package static let responseHeaderBytes = 32 * 1024
  /// Receivers that do not answer may take three quarters of them; a plain one costs 16 KB.
  package static let transfers = 1024
  /// Open without a transfer, so that the next one finds them.
  package static let connectionsKeptOpen = 2_048
  package static let retryAfterCapMilliseconds: Int64 = 24 * 60 * 60 * 1000
  /// Deliveries whose bodies are held in memory; the rest waits in the store.
  package static let deliveriesInMemory = 20_000
  package static let deliveryMemoryBytes = 24 * 1024 * 1024

  // Queues between the loops.
  /// Events that were let in and are not on disk yet; beyond them the door answers 429.
  package static let eventsUnderWay = 20_000
  package static let laneQueue = 40_000
  /// How many inputs a lane decides before it hands the decisions to the store.
  package static let laneStepInputs = 512
  package static let storeQueue = 40_000

  // Caches. Each must hold more than can be under way, because undecided changes live in them.
  package static let subjectsInMemory = 131_072
  /// Of subjects that take much, because runs of theirs wait, only so many are held; still more than can be
  /// under way.
  package static let largeSubjectsInMemory = 65_536
  package static let subjectGenerationBytes = 12 * 1024 * 1024
  package static let identitiesInMemory = 131_072

  // Store.
  package static let shards = 1024
  package static let tailRecords = 200_000
  package static let tailBytes = 64 * 1024 * 1024
  /// What the rows that are not in their tables yet may take of memory; from half of it on they are swept, so that
  /// a million webhooks that come at once and wait leave the daemon below 100 MB.
  package static let behindBytes = 24 * 1024 * 1024
  /// Each of the two young halves of the dedupe set has two to this power of places. A half must hold
  /// far more than can be under way: what leaves it for a closed run has to be on disk by then.
  package static let dedupeHalfBits: UInt64 = 19
  package static let dedupeHorizonMilliseconds: Int64 = 7 * 24 * 60 * 60 * 1000
  /// SQLite's own caches. Small, because the kernel caches the file as well: the hot path only appends,
  /// and sweeps walk their tables in the order of their keys.
  package static let writerCacheKilobytes = 6_000
  package static let readerCacheKilobytes = 2_000
  package static let reserveBytes: Int64 = 64 * 1024 * 1024
}
