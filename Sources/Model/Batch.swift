// One pass over the weights: rows of one or many sessions, in the order in which they are computed.
import Formats
import Kernels

/// One row: a token at a position of a session.
struct Row {
  let session: Int
  let token: Int32
  let position: Int
}

/// Consecutive rows of one session that attend together.
struct RowGroup {
  let session: Int
  let firstRow: Int
  let count: Int
  let firstPosition: Int
}

/// The rows of one pass.
struct Batch {
  private(set) var sessions: [Session] = []
  private(set) var rows: [Row] = []
  private(set) var groups: [RowGroup] = []
  /// The rows whose logits are wanted.
  private(set) var outputs: [Int] = []

  /// Most queries (rows x heads of a key-value head) of a group: sizes each thread's workspace.
  static let queriesPerGroup = 32

  mutating func reset() {
    sessions.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
    groups.removeAll(keepingCapacity: true)
    outputs.removeAll(keepingCapacity: true)
  }

  /// Adds `tokens` of `session` from its position on.
  mutating func add(
    _ session: Session, tokens: UnsafeBufferPointer<Int32>, outputs wanted: Range<Int>,
    headsPerKVHead: Int
  ) {
    let index = sessions.count
    sessions.append(session)
    let start = rows.count
    for (i, token) in tokens.enumerated() {
      if wanted.contains(i) { outputs.append(rows.count) }
      rows.append(Row(session: index, token: token, position: session.position + i))
    }
    let most = max(1, Self.queriesPerGroup / headsPerKVHead)
    var row = 0
    while row < tokens.count {
      let count = min(most, tokens.count - row)
      groups.append(
        RowGroup(
          session: index, firstRow: start + row, count: count,
          firstPosition: session.position + row))
      row += count
    }
  }
}
