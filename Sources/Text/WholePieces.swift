// Pieces that match whole, before any merging: control pieces in trusted text, user-defined ones
// always. A sorted list that is narrowed byte by byte: its memory is one number a piece, whatever
// the file says.

/// Finds the longest of some pieces at a place of a text.
struct WholePieces: Sendable {
  private let pieces: ByteStrings
  /// Ids in the order of their bytes, without empty or equal ones.
  private let sorted: [Int32]
  /// For each first byte, where its pieces begin in `sorted`; the last entry is the end.
  private let firstByte: [Int32]

  var isEmpty: Bool { sorted.isEmpty }

  init(_ pieces: ByteStrings, where isIncluded: (Int) -> Bool) {
    self.pieces = pieces
    var ids = (0..<pieces.count).filter { isIncluded($0) && !pieces.range($0).isEmpty }
    ids.sort { left, right in
      let (a, b) = (pieces[left], pieces[right])
      if a.elementsEqual(b) { return left < right }
      return a.lexicographicallyPrecedes(b)
    }
    var unique: [Int32] = []
    for id in ids {
      if let last = unique.last, pieces[Int(last)].elementsEqual(pieces[id]) { continue }
      unique.append(Int32(truncatingIfNeeded: id))
    }
    sorted = unique
    var starts = [Int32](repeating: 0, count: 257)
    for id in unique { starts[Int(pieces.bytes[pieces.range(Int(id)).lowerBound]) &+ 1] &+= 1 }
    for byte in 1...256 { starts[byte] &+= starts[byte &- 1] }
    firstByte = starts
  }

  /// The longest piece that begins at `position` of `text[..<end]`, and its bytes.
  func longest(
    _ text: borrowing Growable<UInt8>, at position: Int, end: Int
  ) -> (id: Int32, length: Int)? {
    guard position < end else { return nil }
    let first = Int(text[position])
    var low = Int(firstByte[first])
    var high = Int(firstByte[first &+ 1])
    var depth = 1
    var best: (id: Int32, length: Int)?
    while low < high {
      if pieces.range(Int(sorted[low])).count == depth {
        best = (sorted[low], depth)
        low &+= 1
      }
      guard position &+ depth < end else { break }
      let byte = Int(text[position &+ depth])
      low = lowerBound(of: byte, at: depth, from: low, to: high)
      high = lowerBound(of: byte &+ 1, at: depth, from: low, to: high)
      depth &+= 1
    }
    return best
  }

  /// The first of the pieces `low..<high`, all longer than `depth`, whose byte there is not below
  /// `byte`.
  private func lowerBound(of byte: Int, at depth: Int, from low: Int, to high: Int) -> Int {
    var (low, high) = (low, high)
    while low < high {
      let middle = (low &+ high) / 2
      let piece = pieces.range(Int(sorted[middle]))
      if Int(pieces.bytes[piece.lowerBound &+ depth]) < byte {
        low = middle &+ 1
      } else {
        high = middle
      }
    }
    return low
  }
}
