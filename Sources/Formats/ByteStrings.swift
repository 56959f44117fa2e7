// Many byte strings in one block of memory: the spelling of 131,072 tokens costs two allocations.
import Base

/// Byte strings laid end to end, each found by its index.
@frozen @usableFromInline
package struct ByteStrings: Sendable {
  @usableFromInline package var bytes: [UInt8] = []
  /// Where each string ends.
  @usableFromInline package var ends: [Int] = []

  package init() {}

  /// The strings of a list of the metadata, whose bytes are shared.
  @export(interface)
  package init(_ array: MetadataArray) throws(EngineError) {
    bytes = array.storage
    var ends = Growable<Int>()
    try ends.reserve(array.count)
    while ends.count < array.count { try ends.append(Int(array.ends.at(ends.count))) }
    self.ends = try ends.array()
  }

  @inlinable package var count: Int { ends.count }

  /// Where string `index` lies in `bytes`.
  @inlinable @inline(__always)
  package func range(_ index: Int) throws(EngineError) -> Range<Int> {
    let start = index == 0 ? 0 : try ends.at(index &- 1)
    let end = try ends.at(index)
    guard start >= 0, end >= 0, start <= end, end <= bytes.count else {
      throw orderFault(index)
    }
    return start..<end
  }

  @inlinable
  package subscript(index: Int) -> ArraySlice<UInt8> {
    get throws(EngineError) { bytes[try range(index)] }
  }

  /// A string of UTF-8 bytes as text.
  @export(interface) @inline(never)
  package func text(_ index: Int) throws(EngineError) -> String {
    let range = try range(index)
    return unsafe bytes.withUnsafeBufferPointer { bytes in
      // SAFETY: `range` lies within `bytes`.
      unsafe String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }
  }

  /// Whether two strings are equal, and whether the first comes before the second, byte by byte.
  @inlinable
  package func compare(
    _ first: Int, _ second: Int
  ) throws(EngineError) -> (areEqual: Bool, isBefore: Bool) {
    let (a, b) = (try range(first), try range(second))
    var offset = 0
    while offset < a.length, offset < b.length {
      let (x, y) = (try bytes.at(a.lowerBound &+ offset), try bytes.at(b.lowerBound &+ offset))
      if x != y { return (false, x < y) }
      offset &+= 1
    }
    return (a.length == b.length, a.length < b.length)
  }

  /// Appends a sentence; for few of them, as all are copied.
  @export(interface)
  package mutating func append(text: String) throws(EngineError) {
    var joined = Growable<UInt8>()
    for index in below(bytes.count) { try joined.append(bytes.at(index)) }
    try joined.append(text)
    bytes = try joined.array()
    var places = Growable<Int>()
    for index in below(ends.count) { try places.append(ends.at(index)) }
    try places.append(bytes.count)
    ends = try places.array()
  }
}

@usableFromInline @inline(never)
func orderFault(_ index: Int) -> EngineError {
  EngineError(.internal, "byte string \(index) ends before it begins")
}

extension Range<Int> {
  /// The count of a range of places in memory, whose difference cannot overflow.
  @inlinable package var length: Int { upperBound &- lowerBound }
}
