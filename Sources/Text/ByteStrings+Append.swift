// Byte strings that are put together one by one.
import Base
import Formats

extension ByteStrings {
  package mutating func append(_ string: some Sequence<UInt8>) {
    bytes.append(contentsOf: string)
    ends.append(bytes.count)
  }

  mutating func append(_ string: borrowing Growable<UInt8>) throws(EngineError) {
    string.append(to: &bytes)
    ends.append(bytes.count)
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

  mutating func reserve(count: Int, byteCount: Int) {
    bytes.reserveCapacity(byteCount)
    ends.reserveCapacity(count)
  }
}

extension Growable {
  /// Appends `elements[range]`; `internal` where they are not there.
  mutating func append(_ elements: [Element], _ range: Range<Int>) throws(EngineError) {
    guard range.lowerBound >= 0, range.upperBound <= elements.count else {
      throw EngineError(
        .internal, "\(range) of \(elements.count) elements is a fault of the library")
    }
    try unsafe elements.withUnsafeBufferPointer { all throws(EngineError) in
      guard let base = all.baseAddress else { return }
      // SAFETY: the range was compared with the count.
      try unsafe append(
        contentsOf: UnsafeBufferPointer(start: base + range.lowerBound, count: range.length))
    }
  }
}
