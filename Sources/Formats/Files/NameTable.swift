// Keys and tensor names, found by their bytes: equal bytes, equal name. (Strings compare by
// canonical equivalence, which would call two different keys of a file the same, and is slow.)
import Base

/// Different names in the order in which they came, each with its index.
struct NameTable: Sendable {
  private(set) var names: [String] = []
  /// Indices of names, -1 where there is none: a power of two of them, at most half in use.
  private var slots = Growable<Int>()

  /// Adds a name; false when it is there already.
  mutating func append(_ name: String) throws(EngineError) -> Bool {
    if names.count &* 2 >= slots.count { try grow() }
    let slot = try slot(of: name)
    guard try slots.at(slot) < 0 else { return false }
    try slots.put(names.count, at: slot)
    names.append(name)
    return true
  }

  /// The index of a name; nil when it is not there.
  func index(of name: String) -> Int? {
    guard slots.count > 0, let slot = try? slot(of: name), let index = try? slots.at(slot) else {
      return nil
    }
    return index < 0 ? nil : index
  }

  /// The slot of a name, or the empty one where it would be.
  private func slot(of name: String) throws(EngineError) -> Int {
    let mask = slots.count &- 1
    var slot = Self.hash(name) & mask
    while true {
      let index = try slots.at(slot)
      guard index >= 0, !Self.areEqual(try names.at(index), name) else { return slot }
      slot = (slot &+ 1) & mask
    }
  }

  private mutating func grow() throws(EngineError) {
    slots = try Growable(filled: -1, count: max(64, slots.count &* 2))
    var index = 0
    while index < names.count {
      try slots.put(index, at: try slot(of: try names.at(index)))
      index &+= 1
    }
  }

  private static func areEqual(_ left: String, _ right: String) -> Bool {
    let (left, right) = (left.utf8.span, right.utf8.span)
    guard left.count == right.count else { return false }
    var index = 0
    while index < left.count {
      if left[index] != right[index] { return false }
      index &+= 1
    }
    return true
  }

  /// Seeded anew in every process, so that no file can make its names collide.
  private static func hash(_ name: String) -> Int {
    var hasher = Hasher()
    let bytes = name.utf8.span
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    return hasher.finalize()
  }
}
