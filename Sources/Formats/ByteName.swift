// A key or tensor name as a dictionary's key: equal bytes, equal name. (Strings compare by
// canonical equivalence, which would call two different keys of a file the same, and is slow.)

/// A name whose identity is its bytes.
struct ByteName: Hashable, Sendable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (left: ByteName, right: ByteName) -> Bool {
    left.text.utf8.elementsEqual(right.text.utf8)
  }

  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { bytes in
      unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
    }
  }
}
