// Many byte strings in one block of memory: the spelling of 131,072 tokens costs two allocations.
import Base

/// Byte strings laid end to end, each found by its index.
package struct ByteStrings: Sendable {
  package private(set) var bytes: [UInt8] = []
  private var ends: [Int] = []

  package init() {}

  package var count: Int { ends.count }

  /// Where string `index` lies in `bytes`.
  @inline(__always)
  package func range(_ index: Int) throws(EngineError) -> Range<Int> {
    let start = index == 0 ? 0 : try ends.at(index &- 1)
    let end = try ends.at(index)
    guard start >= 0, end >= 0, start <= end, end <= bytes.count else {
      throw EngineError(.internal, "byte string \(index) ends before it begins")
    }
    return start..<end
  }

  package subscript(index: Int) -> ArraySlice<UInt8> {
    get throws(EngineError) { bytes[try range(index)] }
  }

  /// A string of UTF-8 bytes as text.
  @inline(never)
  package func text(_ index: Int) throws(EngineError) -> String {
    let range = try range(index)
    return unsafe bytes.withUnsafeBufferPointer { bytes in
      // SAFETY: `range` lies within `bytes`.
      unsafe String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }
  }

  /// Whether two strings are equal, and whether the first comes before the second, byte by byte.
  func compare(
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

  package mutating func append(_ string: some Sequence<UInt8>) {
    bytes.append(contentsOf: string)
    ends.append(bytes.count)
  }

  mutating func append(_ string: borrowing Growable<UInt8>) throws(EngineError) {
    for index in below(string.count) { bytes.append(try string.at(index)) }
    ends.append(bytes.count)
  }

  /// Appends a sentence.
  mutating func append(text: String) throws(EngineError) {
    var bytes = Growable<UInt8>()
    try bytes.append(text)
    try append(bytes)
  }

  /// These and other ones.
  func followed(by others: ByteStrings) throws(EngineError) -> ByteStrings {
    var all = self
    for index in below(others.count) { all.append(try others[index]) }
    return all
  }

  mutating func append(byte: UInt8) {
    bytes.append(byte)
    ends.append(bytes.count)
  }

  package mutating func reserve(count: Int, byteCount: Int) {
    bytes.reserveCapacity(byteCount)
    ends.reserveCapacity(count)
  }
}

extension Range<Int> {
  /// The count of a range of places in memory, whose difference cannot overflow.
  var length: Int { upperBound &- lowerBound }
}

extension Growable {
  /// Appends `elements[range]`; `internal` where they are not there.
  mutating func append(_ elements: [Element], _ range: Range<Int>) throws(EngineError) {
    try reserve(count &+ range.length)
    for index in below(range.upperBound, from: range.lowerBound) {
      try append(try elements.at(index))
    }
  }
}
