// One pass over the weights: rows of one or many sessions, in the order in which they are computed.
//
// Sessions are kept alive by the requests that the pass serves (Model+Step.swift).

/// One row: a token at a position of a session.
struct Row {
  unowned(unsafe) let session: Session
  let token: Int32
  let position: Int
}

/// Consecutive rows of one session that attend together.
struct RowGroup {
  unowned(unsafe) let session: Session
  let firstRow: Int
  let count: Int
  let firstPosition: Int
}

/// The rows of one pass, in memory for as many as a pass may have (`Scratch.rows`).
///
/// SAFETY: whoever adds tokens counts that room; no sum below wraps or leaves the memory then.
struct Batch {
  let rows: UnsafeMutablePointer<Row>
  private(set) var rowCount = 0
  /// At most one a row.
  let groups: UnsafeMutablePointer<RowGroup>
  private(set) var groupCount = 0
  /// The rows whose logits are wanted.
  let outputs: UnsafeMutablePointer<Int>
  private(set) var outputCount = 0

  /// Most queries (rows x heads of a key-value head) of a group: sizes each thread's workspace.
  static let queriesPerGroup = 32

  init(
    rows: UnsafeMutablePointer<Row>, groups: UnsafeMutablePointer<RowGroup>,
    outputs: UnsafeMutablePointer<Int>
  ) {
    self.rows = rows
    self.groups = groups
    self.outputs = outputs
  }

  /// Whether one of the sessions was asked to stop.
  var isCancelled: Bool {
    var group = 0
    while group < groupCount {
      if groups[group].session.isCancelled { return true }
      group &+= 1
    }
    return false
  }

  mutating func reset() {
    rowCount = 0
    groupCount = 0
    outputCount = 0
  }

  /// Adds `tokens` of `session` from its position on; wanted are the logits of those from
  /// `firstOutput` on.
  mutating func add(
    _ session: Session, tokens: UnsafeBufferPointer<Int32>, firstOutput: Int, headsPerKVHead: Int
  ) {
    let start = rowCount
    let position = session.position
    var i = 0
    while i < tokens.count {
      (rows + rowCount).initialize(
        to: Row(session: session, token: tokens[i], position: position &+ i))
      if i >= firstOutput {
        outputs[outputCount] = rowCount
        outputCount &+= 1
      }
      rowCount &+= 1
      i &+= 1
    }
    group(from: start, headsPerKVHead: headsPerKVHead)
  }

  /// Keeps the rows whose logits are wanted, in their order.
  mutating func keepOutputs(headsPerKVHead: Int) {
    var output = 0
    while output < outputCount {
      rows[output] = rows[outputs[output]]
      outputs[output] = output
      output &+= 1
    }
    rowCount = outputCount
    groupCount = 0
    group(from: 0, headsPerKVHead: headsPerKVHead)
  }

  /// Puts the rows from `start` on into groups.
  private mutating func group(from start: Int, headsPerKVHead: Int) {
    let most = max(1, Self.queriesPerGroup / max(1, headsPerKVHead))
    var row = start
    while row < rowCount {
      let (session, position) = (rows[row].session, rows[row].position)
      var count = 1
      while count < most, row &+ count < rowCount, rows[row &+ count].session === session,
        rows[row &+ count].position == position &+ count
      {
        count &+= 1
      }
      (groups + groupCount).initialize(
        to: RowGroup(session: session, firstRow: row, count: count, firstPosition: position))
      groupCount &+= 1
      row &+= count
    }
  }
}
