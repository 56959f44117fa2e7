// Pieces that match whole, before any merging: control pieces in trusted text, user-defined ones
// always. An automaton (Aho and Corasick 1975) of the pieces read from their ends walks over the
// text from its end: at every place it stands for the longest beginning of a piece there, so one
// pass finds the longest piece at each place, in a time that does not depend on the pieces.
import Base
import Formats

/// A piece that stands at a place of a text.
struct WholeMatch: BitwiseCopyable {
  let start: Int
  let id: Int32
  let length: Int32
}

/// The pieces that stand in a text, handed out from its beginning on.
struct WholeMatches {
  /// The last one first.
  fileprivate var found = Growable<WholeMatch>()

  init() {}

  /// Takes the first piece that begins at `position` or later; those before it are forgotten.
  @inline(__always)
  mutating func next(from position: Int) -> WholeMatch? {
    while let match = found.removeLast() {
      if match.start >= position { return match }
    }
    return nil
  }
}

/// Finds the longest of some pieces at each place of a text.
struct WholePieces: Sendable {
  /// Bytes of all whole pieces together; each takes some 50 bytes of memory.
  static let largestSize = 1 << 22

  private let pieces: ByteStrings
  /// The node after another one and a byte; those after the root are in `first`.
  private var children: PairTable
  private var first: Growable<Int32>
  /// Of each node: where it goes on when no child fits, and the longest piece that it stands for.
  private var shorter: Growable<Int32>
  private var longestPiece: Growable<Int32>

  var isEmpty: Bool { shorter.count <= 1 }

  init(
    _ pieces: ByteStrings, where isIncluded: (Int) throws(EngineError) -> Bool
  ) throws(EngineError) {
    self.pieces = pieces
    var size = 0
    var ids = Growable<Int>()
    for id in below(pieces.count) {
      if try isIncluded(id), !(try pieces.range(id)).isEmpty {
        try ids.append(id)
        size &+= try pieces.range(id).length
      }
    }
    guard size <= Self.largestSize else {
      throw EngineError(
        .limitExceeded,
        "tokenizer.ggml.tokens has \(size) bytes of control or user-defined pieces; "
          + "allowed 0..\(Self.largestSize)")
    }
    first = try Growable(filled: 0, count: 256)
    longestPiece = try Growable(filled: -1, count: 1)
    shorter = Growable()
    children = try PairTable(capacity: size)
    var nodes = Nodes()
    try nodes.append(parent: 0, byte: 0, depth: 0)
    for index in below(ids.count) {
      try add(try ids.at(index), &nodes)
    }
    shorter = try Growable(filled: 0, count: nodes.count)
    try connect(nodes)
  }

  /// Adds the nodes of a piece.
  private mutating func add(_ id: Int, _ nodes: inout Nodes) throws(EngineError) {
    let range = try pieces.range(id)
    var node: Int32 = 0
    var place = range.upperBound
    while place > range.lowerBound {
      place &-= 1
      let byte = try pieces.bytes.at(place)
      var child = node == 0 ? try first.at(Int(byte)) : try children.find(node, Int32(byte))
      if child <= 0 {
        child = Int32(truncatingIfNeeded: nodes.count)
        if node == 0 {
          try first.put(child, at: Int(byte))
        } else {
          try children.insert(node, Int32(byte), value: child)
        }
        try nodes.append(parent: node, byte: byte, depth: range.upperBound &- place)
        try longestPiece.append(-1)
      }
      node = child
    }
    // Of equal pieces the first.
    if try longestPiece.at(Int(node)) < 0 {
      try longestPiece.put(Int32(truncatingIfNeeded: id), at: Int(node))
    }
  }

  /// The nodes while they are made.
  private struct Nodes {
    struct Node: BitwiseCopyable {
      let parent: Int32
      let depth: Int32
      let byte: UInt8
    }
    var all = Growable<Node>()
    /// Nodes of each depth.
    var counts = Growable<Int32>()

    var count: Int { all.count }

    mutating func append(parent: Int32, byte: UInt8, depth: Int) throws(EngineError) {
      try all.append(
        Node(parent: parent, depth: Int32(truncatingIfNeeded: depth), byte: byte))
      while counts.count <= depth { try counts.append(0) }
      try counts.put(try counts.at(depth) &+ 1, at: depth)
    }

    /// The nodes by their depth.
    func inOrder() throws(EngineError) -> Growable<Int32> {
      var places = Growable<Int32>()
      var place: Int32 = 0
      var depth = 0
      while depth < counts.count {
        try places.append(place)
        place &+= try counts.at(depth)
        depth &+= 1
      }
      var order = try Growable<Int32>(filled: 0, count: all.count)
      for node in below(all.count) {
        let depth = Int(try all.at(node).depth)
        let place = try places.at(depth)
        try order.put(Int32(truncatingIfNeeded: node), at: Int(place))
        try places.put(place &+ 1, at: depth)
      }
      return order
    }
  }

  /// Says of each node where it goes on when no child fits: to the longest of its endings that is a
  /// node, too, and stands for that one's piece if it has none of its own.
  private mutating func connect(_ nodes: Nodes) throws(EngineError) {
    let order = try nodes.inOrder()
    for index in below(order.count, from: 1) {
      let node = Int(try order.at(index))
      let one = try nodes.all.at(node)
      if one.depth > 1 {
        let next = try self.next(try shorter.at(Int(one.parent)), one.byte)
        try shorter.put(next, at: node)
        if try longestPiece.at(node) < 0 {
          try longestPiece.put(try longestPiece.at(Int(next)), at: node)
        }
      }
    }
  }

  /// The node after `node` and a byte.
  @inline(__always)
  private func next(_ node: Int32, _ byte: UInt8) throws(EngineError) -> Int32 {
    var node = node
    while node != 0 {
      let child = try children.find(node, Int32(byte))
      if child > 0 { return child }
      node = try shorter.at(Int(node))
    }
    return try first.at(Int(byte))
  }

  /// Finds the longest piece at each place of `text[range]` that has one.
  func find(
    in text: borrowing Growable<UInt8>, _ range: Range<Int>, _ matches: inout WholeMatches
  ) throws(EngineError) {
    matches.found.shorten(to: 0)
    guard !isEmpty else { return }
    var node: Int32 = 0
    var position = range.upperBound
    while position > range.lowerBound {
      position &-= 1
      node = try next(node, try text.at(position))
      guard node != 0 else { continue }
      let id = try longestPiece.at(Int(node))
      guard id >= 0 else { continue }
      try matches.found.append(
        WholeMatch(
          start: position, id: id,
          length: Int32(truncatingIfNeeded: try pieces.range(Int(id)).length)))
    }
  }
}
