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

/// The slot to look at next.
@inline(__always)
private func following(_ slot: Int, _ mask: Int) -> Int { (slot &+ 1) & mask }

/// Mixes bits so that the low ones depend on all (MurmurHash3's finaliser).
@inline(__always)
private func mixed(_ hash: UInt64) -> UInt64 {
  var hash = hash
  hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
  hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
  return hash ^ hash >> 33
}

/// Bytes of a text as a key: themselves where they are at most eight, else a hash of them.
struct PieceKey {
  let bits: UInt64
  let length: Int32

  /// Where its search begins.
  @inline(__always)
  var hash: UInt64 { mixed(bits ^ UInt64(UInt32(bitPattern: length)) << 56) }

  /// Whether equal keys are equal texts.
  @inline(__always)
  var isExact: Bool { length <= 8 }

  /// The key of `length` bytes from `start` on; at least one.
  @inline(__always)
  init(_ text: borrowing Growable<UInt8>, start: Int, length: Int) throws(EngineError) {
    self.length = Int32(truncatingIfNeeded: length)
    if length <= 8 {
      bits = try Self.bytes(text, start, length)
      return
    }
    var bits = UInt64(truncatingIfNeeded: length)
    var offset = 0
    while offset &+ 8 < length {
      bits = (bits ^ (try text.integer(at: start &+ offset))) &* 0x9E37_79B9_7F4A_7C15
      bits ^= bits >> 32
      offset &+= 8
    }
    // The last eight, some of them again.
    bits = (bits ^ (try text.integer(at: start &+ length &- 8))) &* 0x9E37_79B9_7F4A_7C15
    self.bits = bits ^ bits >> 32
  }

  /// The value of up to eight bytes, the first in the lowest place.
  @inline(__always)
  private static func bytes(
    _ text: borrowing Growable<UInt8>, _ start: Int, _ length: Int
  ) throws(EngineError) -> UInt64 {
    if start <= text.count &- 8 {
      let word: UInt64 = try text.integer(at: start)
      return word & (UInt64.max >> UInt64(truncatingIfNeeded: (8 &- length) << 3))
    }
    return try lastBytes(text, start, length)
  }

  /// The same where fewer than eight bytes are left.
  @inline(never)
  private static func lastBytes(
    _ text: borrowing Growable<UInt8>, _ start: Int, _ length: Int
  ) throws(EngineError) -> UInt64 {
    var word: UInt64 = 0
    for index in below(length) {
      word |= UInt64(try text.at(start &+ index)) << UInt64(truncatingIfNeeded: index << 3)
    }
    return word
  }
}

/// Finds a piece's id by its bytes.
struct PieceTable: Sendable {
  private struct Slot: BitwiseCopyable {
    var bits: UInt64
    var id: Int32
    var length: Int32
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
    slots = try Growable(filled: Slot(bits: 0, id: -1, length: 0), count: count)
    mask = count &- 1
    var bytes = Growable<UInt8>()
    for id in below(pieces.count) {
      let range = try pieces.range(id)
      if !range.isEmpty, try isIncluded(id) {
        bytes.shorten(to: 0)
        try bytes.append(pieces.bytes, range)
        try insert(id, try PieceKey(bytes, start: 0, length: range.length))
        longest = max(longest, range.length)
      }
    }
  }

  private mutating func insert(_ id: Int, _ key: PieceKey) throws(EngineError) {
    var slot = Int(truncatingIfNeeded: key.hash) & mask
    for _ in 0..<probeLimit {
      let found = try slots.at(slot)
      guard found.id >= 0 else {
        let made = Slot(bits: key.bits, id: Int32(truncatingIfNeeded: id), length: key.length)
        return try slots.put(made, at: slot)
      }
      if found.bits == key.bits, found.length == key.length,
        key.isExact ? true : try pieces.compare(Int(found.id), id).areEqual
      {
        return
      }
      slot = following(slot, mask)
    }
    throw EngineError(
      .limitExceeded, "token \(id) shares its hash with \(probeLimit) others; allowed fewer")
  }

  /// The id of the piece that equals `length` bytes of `text` from `start`; -1 when there is none.
  @inline(__always)
  func find(
    _ text: borrowing Growable<UInt8>, start: Int, length: Int
  ) throws(EngineError) -> Int32 {
    guard length <= longest, length > 0 else { return -1 }
    let key = try PieceKey(text, start: start, length: length)
    var slot = Int(truncatingIfNeeded: key.hash) & mask
    for _ in 0..<probeLimit {
      let found = try slots.at(slot)
      guard found.id >= 0 else { return -1 }
      if found.bits == key.bits, found.length == key.length,
        key.isExact ? true : try equal(Int(found.id), text, start, length)
      {
        return found.id
      }
      slot = following(slot, mask)
    }
    return -1
  }

  private func equal(
    _ id: Int, _ text: borrowing Growable<UInt8>, _ start: Int, _ length: Int
  ) throws(EngineError) -> Bool {
    let range = try pieces.range(id)
    guard range.length == length else { return false }
    for index in below(length) {
      if try pieces.bytes.at(range.lowerBound &+ index) != text.at(start &+ index) { return false }
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
      slot = following(slot, mask)
    }
    throw EngineError(
      .limitExceeded, "pair \(value) shares its hash with \(probeLimit) others; allowed fewer")
  }

  /// The pair's value; -1 when it has none.
  func find(_ left: Int32, _ right: Int32) throws(EngineError) -> Int32 {
    let key = Self.key(left, right)
    var slot = Int(truncatingIfNeeded: mixed(key)) & mask
    for _ in 0..<probeLimit {
      let found = try slots.at(slot)
      guard found.value >= 0 else { return -1 }
      if found.key == key { return found.value }
      slot = following(slot, mask)
    }
    return -1
  }
}
