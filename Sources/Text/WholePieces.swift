// Pieces that match whole, before any merging: control pieces in trusted text, user-defined ones
// always. A sorted list that is narrowed byte by byte: its memory is one number a piece, whatever
// the file says.
import Base
import Formats

/// Finds the longest of some pieces at a place of a text.
struct WholePieces: Sendable {
  private let pieces: ByteStrings
  /// Ids in the order of their bytes, without empty or equal ones.
  private var sorted = Growable<Int32>()
  /// For each first byte, where its pieces begin in `sorted`; the last entry is the end.
  private var firstByte: Growable<Int32>

  var isEmpty: Bool { sorted.count == 0 }

  init(
    _ pieces: ByteStrings, where isIncluded: (Int) throws(EngineError) -> Bool
  ) throws(EngineError) {
    self.pieces = pieces
    var ids = Growable<Int>()
    var id = 0
    while id < pieces.count {
      if try isIncluded(id), !(try pieces.range(id)).isEmpty { try ids.append(id) }
      id &+= 1
    }
    try ids.heapSort(ids.count) { left, right throws(EngineError) in
      let (areEqual, isBefore) = try pieces.compare(left, right)
      return areEqual ? left < right : isBefore
    }
    firstByte = try Growable(filled: 0, count: 257)
    var place = 0
    while place < ids.count {
      let id = try ids.at(place)
      let isRepeated = place > 0 ? try pieces.compare(ids.at(place &- 1), id).areEqual : false
      if !isRepeated {
        try sorted.append(Int32(truncatingIfNeeded: id))
        let after = Int(try pieces.bytes.at(try pieces.range(id).lowerBound)) &+ 1
        try firstByte.put(try firstByte.at(after) &+ 1, at: after)
      }
      place &+= 1
    }
    var byte = 1
    while byte < firstByte.count {
      try firstByte.put(try firstByte.at(byte) &+ firstByte.at(byte &- 1), at: byte)
      byte &+= 1
    }
  }

  /// The longest piece that begins at `position` of `text[..<end]`, and its bytes.
  func longest(
    _ text: borrowing Growable<UInt8>, at position: Int, end: Int
  ) throws(EngineError) -> (id: Int32, length: Int)? {
    guard position < end else { return nil }
    let first = Int(try text.at(position))
    var low = Int(try firstByte.at(first))
    var high = Int(try firstByte.at(first &+ 1))
    var depth = 1
    var best: (id: Int32, length: Int)?
    while low < high {
      let id = try sorted.at(low)
      if try pieces.range(Int(id)).length == depth {
        best = (id, depth)
        low &+= 1
      }
      guard position &+ depth < end else { break }
      let byte = Int(try text.at(position &+ depth))
      low = try lowerBound(of: byte, at: depth, from: low, to: high)
      high = try lowerBound(of: byte &+ 1, at: depth, from: low, to: high)
      depth &+= 1
    }
    return best
  }

  /// The first of the pieces `low..<high`, all longer than `depth`, whose byte there is not below
  /// `byte`.
  private func lowerBound(
    of byte: Int, at depth: Int, from low: Int, to high: Int
  ) throws(EngineError) -> Int {
    var (low, high) = (low, high)
    while low < high {
      let middle = (low &+ high) / 2
      let piece = try pieces.range(Int(try sorted.at(middle)))
      if Int(try pieces.bytes.at(piece.lowerBound &+ depth)) < byte {
        low = middle &+ 1
      } else {
        high = middle
      }
    }
    return low
  }
}
