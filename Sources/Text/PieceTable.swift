// Hash tables that are filled once, at load: pieces by their bytes, and numbers by a pair of
// numbers. The hash is fixed, so that a file loads the same way everywhere; a file made to collide
// is refused.
import Base
import Formats

/// Slots that may be looked at for one key.
///
/// Tables are at most half full: honest files stay below 100.
private let probeLimit = 4096

/// The power of two that keeps `count` entries at or below half of the slots.
private func slotCount(for count: Int) -> Int {
  var slots = 16
  while slots < count &* 2 { slots &*= 2 }
  return slots
}

/// Mixes the bits of an FNV state so that the low ones depend on all (MurmurHash3's finaliser).
private func mixed(_ hash: UInt64) -> UInt64 {
  var hash = hash
  hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
  hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
  return hash ^ hash >> 33
}

private let fnvOffset: UInt64 = 0xCBF2_9CE4_8422_2325
private let fnvPrime: UInt64 = 0x100_0000_01B3

/// Finds a piece's id by its bytes.
struct PieceTable: Sendable {
  private struct Slot: BitwiseCopyable {
    var id: Int32
    /// Upper half of the hash: spares most comparisons of bytes.
    var tag: UInt32
  }

  private let pieces: ByteStrings
  private var slots: Growable<Slot>
  private let mask: Int
  /// Bytes of the longest piece in the table.
  private(set) var longest = 0

  /// Holds the pieces of `pieces` that `isIncluded`, except empty ones; of equal ones the first.
  init(
    _ pieces: ByteStrings, where isIncluded: (Int) throws(EngineError) -> Bool
  )
    throws(EngineError)
  {
    self.pieces = pieces
    let count = slotCount(for: pieces.count)
    slots = try Growable(filled: Slot(id: -1, tag: 0), count: count)
    mask = count &- 1
    var id = 0
    while id < pieces.count {
      let range = try pieces.range(id)
      if !range.isEmpty, try isIncluded(id) {
        try insert(id, range)
        longest = max(longest, range.length)
      }
      id &+= 1
    }
  }

  private mutating func insert(_ id: Int, _ range: Range<Int>) throws(EngineError) {
    var hash = fnvOffset
    var index = range.lowerBound
    while index < range.upperBound {
      hash = (hash ^ UInt64(try pieces.bytes.at(index))) &* fnvPrime
      index &+= 1
    }
    hash = mixed(hash)
    let tag = UInt32(truncatingIfNeeded: hash >> 32)
    var slot = Int(truncatingIfNeeded: hash) & mask
    for _ in 0..<probeLimit {
      let found = try slots.at(slot)
      guard found.id >= 0 else {
        try slots.put(Slot(id: Int32(truncatingIfNeeded: id), tag: tag), at: slot)
        return
      }
      if found.tag == tag, try pieces.compare(Int(found.id), id).areEqual { return }
      slot = (slot &+ 1) & mask
    }
    throw EngineError(
      .limitExceeded, "token \(id) shares its hash with \(probeLimit) others; allowed fewer")
  }

  /// The id of the piece that equals `length` bytes of `text` from `start`; -1 when there is none.
  func find(
    _ text: borrowing Growable<UInt8>, start: Int, length: Int
  ) throws(EngineError) -> Int32 {
    guard length <= longest, length > 0 else { return -1 }
    var hash = fnvOffset
    var index = start
    while index < start &+ length {
      hash = (hash ^ UInt64(try text.at(index))) &* fnvPrime
      index &+= 1
    }
    hash = mixed(hash)
    let tag = UInt32(truncatingIfNeeded: hash >> 32)
    var slot = Int(truncatingIfNeeded: hash) & mask
    for _ in 0..<probeLimit {
      let found = try slots.at(slot)
      guard found.id >= 0 else { return -1 }
      if found.tag == tag, try equal(Int(found.id), text, start, length) { return found.id }
      slot = (slot &+ 1) & mask
    }
    return -1
  }

  private func equal(
    _ id: Int, _ text: borrowing Growable<UInt8>, _ start: Int, _ length: Int
  ) throws(EngineError) -> Bool {
    let range = try pieces.range(id)
    guard range.length == length else { return false }
    var index = 0
    while index < length {
      if try pieces.bytes.at(range.lowerBound &+ index) != text.at(start &+ index) { return false }
      index &+= 1
    }
    return true
  }
}

/// Finds a number by two others.
struct PairTable: Sendable {
  private struct Slot: BitwiseCopyable {
    var key: UInt64
    var value: Int32
  }

  private var slots: Growable<Slot>
  private let mask: Int

  /// A table for at most `capacity` pairs.
  init(capacity: Int) throws(EngineError) {
    let count = slotCount(for: capacity)
    slots = try Growable(filled: Slot(key: 0, value: -1), count: count)
    mask = count &- 1
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Keeps `value`, at least 0, for the pair, unless the pair has one already.
  mutating func insert(_ left: Int32, _ right: Int32, value: Int32) throws(EngineError) {
    let key = Self.key(left, right)
    var slot = Int(truncatingIfNeeded: mixed(key)) & mask
    for _ in 0..<probeLimit {
      let found = try slots.at(slot)
      guard found.value >= 0 else {
        try slots.put(Slot(key: key, value: value), at: slot)
        return
      }
      if found.key == key { return }
      slot = (slot &+ 1) & mask
    }
    throw EngineError(
      .limitExceeded, "merge \(value) shares its hash with \(probeLimit) others; allowed fewer")
  }

  /// The pair's value; -1 when it has none.
  func find(_ left: Int32, _ right: Int32) throws(EngineError) -> Int32 {
    let key = Self.key(left, right)
    var slot = Int(truncatingIfNeeded: mixed(key)) & mask
    for _ in 0..<probeLimit {
      let found = try slots.at(slot)
      guard found.value >= 0 else { return -1 }
      if found.key == key { return found.value }
      slot = (slot &+ 1) & mask
    }
    return -1
  }
}
