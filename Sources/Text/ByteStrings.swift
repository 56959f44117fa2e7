// Many byte strings in one block of memory: the spelling of 131,072 tokens costs two allocations.

/// Byte strings laid end to end, each found by its index.
package struct ByteStrings: Sendable {
  package private(set) var bytes: [UInt8] = []
  private var ends: [Int] = []

  package init() {}

  package var count: Int { ends.count }

  /// Where string `index` lies in `bytes`.
  package func range(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : ends[index &- 1])..<ends[index]
  }

  package subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

  package mutating func append(_ string: some Sequence<UInt8>) {
    bytes.append(contentsOf: string)
    ends.append(bytes.count)
  }

  package mutating func reserve(count: Int, byteCount: Int) {
    bytes.reserveCapacity(byteCount)
    ends.reserveCapacity(count)
  }
}

/// `bytes` as a quoted name in an error's sentence: at most 64 bytes, what is not plain escaped.
func quoted(_ bytes: some Collection<UInt8>) -> String {
  let cut = Array(bytes.prefix(64))
  var text = "'"
  var position = 0
  while position < cut.count {
    let scalar = UTF8Scalar(cut, at: position)
    if scalar.isValid, scalar.value >= 0x20, scalar.value != 0x7F,
      let value = Unicode.Scalar(scalar.value)
    {
      text.unicodeScalars.append(value)
    } else {
      let digits = Array("0123456789ABCDEF")
      let byte = Int(cut[position])
      text += "\\x"
      text.append(digits[byte >> 4])
      text.append(digits[byte & 15])
    }
    position &+= scalar.length
  }
  return text + "'"
}
