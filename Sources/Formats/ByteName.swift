// A key or tensor name as a dictionary's key: equal bytes, equal name. (Strings compare by
// canonical equivalence, which would call two different keys of a file the same, and is slow.)

/// A name whose identity is its bytes.
struct ByteName: Hashable, Sendable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (left: ByteName, right: ByteName) -> Bool {
    let (left, right) = (left.text.utf8.span, right.text.utf8.span)
    guard left.count == right.count else { return false }
    var index = 0
    while index < left.count {
      if left[index] != right[index] { return false }
      index &+= 1
    }
    return true
  }

  func hash(into hasher: inout Hasher) {
    let bytes = text.utf8.span
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
}
