// The rows of one pass over the weights: tokens of one or many sessions, in the order in which they
// are computed.
import Kernels

/// The cache of a session as a row sees it: its pages by position / 64, nil where it holds none.
///
/// SAFETY: the step keeps the table and its pages alive while the pass runs.
package struct SessionPages {
  let table: UnsafePointer<UnsafeMutableRawPointer?>
  let type: CacheType

  package init(table: UnsafePointer<UnsafeMutableRawPointer?>, type: CacheType) {
    self.table = table
    self.type = type
  }
}

/// A row of the pass: a token at a position of a session.
package struct Row {
  let pages: SessionPages
  let token: Int32
  package let position: Int
  /// A number that the caller gave with the tokens, to know its rows again.
  package let owner: Int
}

/// Consecutive rows of one session that attend together.
struct AttentionGroup {
  let pages: SessionPages
  let firstRow: Int
  let count: Int
  let firstPosition: Int
}

/// The rows of one pass.
///
/// SAFETY: whoever adds tokens keeps their number within the capacity.
package struct Batch {
  package let rows: UnsafeMutablePointer<Row>
  package private(set) var rowCount = 0
  /// At most one a row.
  let groups: UnsafeMutablePointer<AttentionGroup>
  private(set) var groupCount = 0
  /// The rows whose logits are wanted.
  package let outputs: UnsafeMutablePointer<Int>
  package private(set) var outputCount = 0
  /// Rows of a group at most.
  private let groupRows: Int

  /// Most queries (rows x heads of a key-value head) of a group: sizes each thread's workspace.
  static let queriesPerGroup = 32

  init(capacity: Int, queriesPerRow: Int) {
    rows = .allocate(capacity: capacity)
    groups = .allocate(capacity: capacity)
    outputs = .allocate(capacity: capacity)
    groupRows = max(1, Self.queriesPerGroup / queriesPerRow)
  }

  func deallocate() {
    rows.deallocate()
    groups.deallocate()
    outputs.deallocate()
  }

  package mutating func reset() {
    rowCount = 0
    groupCount = 0
    outputCount = 0
  }

  /// Adds tokens of a session from `position` on; wanted are the logits of those from `firstOutput`
  /// on.
  @export(interface)
  package mutating func add(
    _ tokens: UnsafeBufferPointer<Int32>, at position: Int, _ pages: SessionPages, owner: Int,
    firstOutput: Int
  ) {
    let start = rowCount
    for (i, token) in tokens.enumerated() {
      (rows + rowCount).initialize(
        to: Row(pages: pages, token: token, position: position + i, owner: owner))
      if i >= firstOutput {
        outputs[outputCount] = rowCount
        outputCount += 1
      }
      rowCount += 1
    }
    group(from: start)
  }

  /// Keeps the rows whose logits are wanted, in their order.
  mutating func keepOutputs() {
    for output in 0..<outputCount {
      rows[output] = rows[outputs[output]]
      outputs[output] = output
    }
    rowCount = outputCount
    groupCount = 0
    group(from: 0)
  }

  /// Puts the rows from `start` on into groups.
  private mutating func group(from start: Int) {
    var row = start
    while row < rowCount {
      let first = rows[row]
      var count = 1
      while count < groupRows, row + count < rowCount, rows[row + count].follows(first, by: count) {
        count += 1
      }
      (groups + groupCount).initialize(
        to: AttentionGroup(
          pages: first.pages, firstRow: row, count: count, firstPosition: first.position))
      groupCount += 1
      row += count
    }
  }
}

extension Row {
  /// Whether this row is `distance` positions after `other` in the same session.
  fileprivate func follows(_ other: Row, by distance: Int) -> Bool {
    pages.table == other.pages.table && position == other.position + distance
  }
}

extension ForwardPass {
  /// Moves the stream and the angles of the rows whose logits are wanted to the front, and drops
  /// the others from the batch.
  func keepOutputs() {
    for output in 0..<batch.outputCount {
      scratch.hidden.move(batch.outputs[output], to: output)
      scratch.angles.move(batch.outputs[output], to: output)
    }
    batch.keepOutputs()
  }
}
