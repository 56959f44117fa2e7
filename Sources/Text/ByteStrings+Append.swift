// Byte strings that are put together one by one.
import Base
import Formats

extension ByteStrings {
  package mutating func append(_ string: some Sequence<UInt8>) {
    bytes.append(contentsOf: string)
    ends.append(bytes.count)
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
    var index = range.lowerBound
    while index < range.upperBound {
      try append(try elements.at(index))
      index &+= 1
    }
  }
}
