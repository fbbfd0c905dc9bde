// An entry for somebody's calendar, as a rule describes it, and what is made of it.
//
// Thread: values. Promise: what is here was understood; no text in it is too long for a file.

package import Basics

package struct CalendarEntry: Sendable, Equatable {
  package struct Person: Sendable, Equatable {
    package var name: String
    package var email: String
    package init(name: String, email: String) {
      self.name = name
      self.email = email
    }
  }

  /// What tells it from all others, in every version of it.
  package var uid: String
  /// Grows with each version.
  package var sequence: Int64 = 0
  package var title: String
  package var starts: Instant
  package var ends: Instant
  /// The zone its times are told in; empty: UTC.
  package var zone = ""
  package var description = ""
  package var location = ""
  package var url = ""
  package var organizer: Person?
  package var attendee: Person?
  package var isCancelled = false
  /// How long before its start one is to be reminded.
  package var alarmsMilliseconds: [Int64] = []

  package init(uid: String, title: String, starts: Instant, ends: Instant) {
    self.uid = uid
    self.title = title
    self.starts = starts
    self.ends = ends
  }
}

/// The file, and where it can be fetched.
package struct CalendarPage: Sendable, Equatable {
  /// Nobody can guess it who does not know it.
  package var id: Hash128
  package var link: String
  package var text: String
  package var ends: Instant

  package init(id: Hash128, link: String, text: String, ends: Instant) {
    self.id = id
    self.link = link
    self.text = text
    self.ends = ends
  }
}
