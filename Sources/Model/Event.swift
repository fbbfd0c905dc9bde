// An event: a fact with a name, a subject, a time and data. This is the normalised view over the
// parsed text; native events, Segment's and CloudEvents all look like this from here on.
//
// Thread: immutable once decoded. Promise: nothing of the original text is lost, because the document
// it points into stays alive with it.

package import Basics

/// Who or what something is about, as the outside names it: "user:42", "account:acme", "webinar:w7".
package struct SubjectReference: Sendable, Hashable, CustomStringConvertible {
  package var namespace: String
  package var id: String

  package init(namespace: String, id: String) {
    self.namespace = namespace
    self.id = id
  }

  /// "namespace:id"; nil when there is no namespace or no id.
  package init?(_ text: some StringProtocol) {
    guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else { return nil }
    let id = text[text.index(after: colon)...]
    guard !id.isEmpty else { return nil }
    self.init(namespace: String(text[..<colon]), id: String(id))
  }

  package var description: String { namespace + ":" + id }

  /// Whether an event can be about it: a namespace in small letters, an id, neither too long.
  package var isWellFormed: Bool {
    let namespaceFits = !namespace.isEmpty && namespace.utf8.count <= Limits.namespaceBytes
    return namespaceFits && !id.isEmpty && id.utf8.count <= Limits.subjectIdBytes
      && namespace.utf8.allSatisfy {
        ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x5F || $0 == 0x2D
      }
  }
}

package final class Event: Sendable {
  package let name: String
  /// The sender's id as text; empty when it gave none and one was made up.
  package let id: String
  package let source: String
  /// When it happened, by the sender's account, corrected and clamped. Data, never order.
  package let time: Instant
  /// When it arrived here.
  package let received: Instant
  /// The user; where the sender knows only a visitor, that one ("anon:…").
  package let user: SubjectReference?
  /// The visitor that `user` turns out to be, when the sender names both.
  package let anonymous: SubjectReference?
  package let account: SubjectReference?
  package let thing: SubjectReference?
  /// How many emitted events lie between this one and the outside.
  package let depth: Int
  /// How many events it may cause, taken together with all that those cause.
  package let allowance: Int

  /// The text it came in, and the nodes of its parts inside it.
  package let document: Document
  package let item: UInt32
  package let data: UInt32?
  package let traits: UInt32?
  package let context: UInt32?

  package init(
    name: String, id: String, source: String, time: Instant, received: Instant, user: SubjectReference?,
    anonymous: SubjectReference? = nil, account: SubjectReference?, thing: SubjectReference?, depth: Int,
    allowance: Int = Limits.emittedPerEvent,
    document: Document, item: UInt32, data: UInt32?,
    traits: UInt32?, context: UInt32?
  ) {
    self.name = name
    self.id = id
    self.source = source
    self.time = time
    self.received = received
    self.user = user
    self.anonymous = anonymous
    self.account = account
    self.thing = thing
    self.depth = depth
    self.allowance = allowance
    self.document = document
    self.item = item
    self.data = data
    self.traits = traits
    self.context = context
  }

  /// The same event with an id that was made up for it.
  package func with(id: String) -> Event {
    Event(
      name: name, id: id, source: source, time: time, received: received, user: user, anonymous: anonymous,
      account: account,
      thing: thing, depth: depth, allowance: allowance, document: document, item: item, data: data, traits: traits,
      context: context)
  }

  /// Sent with a key that is for trying things out, or caused by such an event. Only test destinations hear
  /// of what it causes.
  package var isTest: Bool {
    source.hasPrefix(Event.testPrefix) || (source == "nudged" && itemCursor["test"]?.boolean == true)
  }

  /// What the source of a test key begins with.
  package static let testPrefix = "test:"

  /// The subject whose lane decides it: the user, else the thing, else the account.
  package var primary: SubjectReference? { user ?? thing ?? account }

  package var itemCursor: JSONCursor { JSONCursor(document: document, index: item) }
  package var dataCursor: JSONCursor? { data.map { JSONCursor(document: document, index: $0) } }
}
