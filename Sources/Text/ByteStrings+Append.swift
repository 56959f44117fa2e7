// Byte strings that are put together one by one.
import Base
import Formats

extension ByteStrings {
  package mutating func append(_ string: some Sequence<UInt8>) {
    bytes.append(contentsOf: string)
    ends.append(bytes.count)
  }

  mutating func append(_ string: borrowing Growable<UInt8>) throws(EngineError) {
    for index in below(string.count) { bytes.append(try string.at(index)) }
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
    try reserve(count &+ range.length)
    for index in below(range.upperBound, from: range.lowerBound) {
      try append(try elements.at(index))
    }
  }
}
