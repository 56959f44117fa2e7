// Attention over the pages of sessions: rotation, the cache's writes, and online softmax. A unit of
// work is a group of rows and one key-value head.
import Kernels

extension ForwardPass {
  var headsPerKVHead: Int { shape.headsPerKVHead }

  /// `headWidth` rounded up to whole vectors.
  var headStride: Int { Kernels.headStride(shape.headWidth) }

  /// Rotates a row's keys and writes keys and values to its place in the cache.
  func rotateAndStoreKeys(_ row: Int) {
    let description = batch.rows[row]
    let index = description.position / pagePositions
    guard let page = description.pages.table[index] else { return faults.raise(.missingPage) }
    let layout = layouts[description.pages.type.rawValue]
    let store = table.store(layout.type)
    for head in 0..<shape.kvHeads {
      let key = scratch.key.row(row) + head * shape.headWidth
      // In place: a pair is read before it is written.
      rotary.rotate(key, width: shape.headWidth, scratch.angles.row(row), into: key)
      var entry = CacheEntry(
        key: key, value: scratch.value.row(row) + head * shape.headWidth,
        keys: page + layout.keys(layerIndex, head),
        values: page + layout.values(layerIndex, head),
        position: description.position % pagePositions, headWidth: shape.headWidth,
        headStride: headStride)
      withUnsafePointer(to: &entry) { store($0) }
    }
  }

  /// Rotates a row's queries into the order in which attention reads them.
  func rotateQueries(_ row: Int) {
    for head in 0..<shape.kvHeads {
      let queries = rotatedQueries(row, head)
      let first = scratch.query.row(row) + head * headsPerKVHead * shape.headWidth
      for i in 0..<headsPerKVHead {
        rotary.rotate(
          first + i * shape.headWidth, width: shape.headWidth, scratch.angles.row(row),
          into: queries + i * headStride)
      }
    }
  }

  /// The rotated queries of a row for one key-value head.
  private func rotatedQueries(_ row: Int, _ head: Int) -> UnsafeMutablePointer<Float> {
    scratch.rotated + (head * batch.rowCount + row) * headsPerKVHead * headStride
  }

  /// attended = softmax(q k / sqrt(headWidth)) v.
  func attend() {
    forUnits(batch.groupCount * shape.kvHeads) { pass, unit, worker in
      let (group, head) = unit.quotientAndRemainder(dividingBy: pass.shape.kvHeads)
      pass.attend(pass.batch.groups[group], head, worker)
    }
  }

  private func attend(_ group: AttentionGroup, _ head: Int, _ worker: Int) {
    let softmax = OnlineSoftmax(scratch.workspace(worker), headStride: headStride)
    softmax.begin(group.count * headsPerKVHead, headStride: headStride)
    let last = group.firstPosition + group.count - 1
    let first = max(0, group.firstPosition - window + 1)
    for page in first / pagePositions...last / pagePositions {
      visit(page, group, head, softmax, isLast: page == last / pagePositions)
    }
    finish(group, head, softmax)
  }

  /// Positions that a token sees, itself included; without a window more than any context has.
  private var window: Int { shape.slidingWindow == 0 ? 1 << 40 : shape.slidingWindow }

  /// Joins one page to the queries that see some of it.
  private func visit(
    _ index: Int, _ group: AttentionGroup, _ head: Int, _ softmax: OnlineSoftmax, isLast: Bool
  ) {
    let heads = headsPerKVHead
    var seeing = group.count..<group.count
    for row in 0..<group.count {
      let position = group.firstPosition + row - index * pagePositions
      let (first, end) = (max(0, position - window + 1), min(pagePositions, position + 1))
      guard first < end else { continue }
      seeing = min(seeing.lowerBound, row)..<row + 1
      softmax.see(first..<end, row * heads..<(row + 1) * heads)
    }
    if seeing.isEmpty { return }
    let layout = layouts[group.pages.type.rawValue]
    guard let page = group.pages.table[index],
      // The page that is read next is asked for ahead; at the last one, itself.
      let next = group.pages.table[isLast ? index : index + 1]
    else { return faults.raise(.missingPage) }
    let skip = seeing.lowerBound * heads
    var job = AttentionPage(
      keys: page + layout.keys(layerIndex, head), values: page + layout.values(layerIndex, head),
      next: next + layout.keys(layerIndex, head),
      queries: rotatedQueries(group.firstRow, head) + skip * headStride,
      count: seeing.count * heads, headWidth: shape.headWidth, headStride: headStride,
      scale: 1 / Float(shape.headWidth).squareRoot(), firsts: softmax.firsts + skip,
      lasts: softmax.lasts + skip, maxima: softmax.maxima + skip, sums: softmax.sums + skip * 16,
      outputs: softmax.outputs + skip * headStride, weights: softmax.weights)
    let attend = table.attend(layout.type)
    withUnsafePointer(to: &job) { attend($0) }
  }

  /// Divides by the sums of the weights and writes the heads of each row.
  private func finish(_ group: AttentionGroup, _ head: Int, _ softmax: OnlineSoftmax) {
    for row in 0..<group.count {
      let out = scratch.attended.values.row(group.firstRow + row)
      for i in 0..<headsPerKVHead {
        let query = row * headsPerKVHead + i
        let factor = 1 / softmax.sum(query)
        let from = softmax.outputs + query * headStride
        let to = out + (head * headsPerKVHead + i) * shape.headWidth
        for column in 0..<shape.headWidth { to[column] = from[column] * factor }
      }
    }
  }
}

/// The state of the online softmax of one group's queries, in the workspace of a thread.
struct OnlineSoftmax {
  /// [queries]: the positions of a page that each sees, firsts[i]..<lasts[i].
  let firsts: UnsafeMutablePointer<Int32>
  let lasts: UnsafeMutablePointer<Int32>
  /// [queries].
  let maxima: UnsafeMutablePointer<Float>
  /// [queries][16].
  let sums: UnsafeMutablePointer<Float>
  /// [6][64], see `AttentionPage`.
  let weights: UnsafeMutablePointer<Float>
  /// [queries][headStride].
  let outputs: UnsafeMutablePointer<Float>

  /// Groups hold at most this many queries: a row may bring more heads than
  /// `Batch.queriesPerGroup`.
  private static let queries = 1024

  private static let weightCount = 6 * 64

  static func byteCount(headStride: Int) -> Int {
    (queries * (3 + 16 + headStride) + weightCount) * 4
  }

  init(_ base: UnsafeMutableRawPointer, headStride: Int) {
    let floats = base.assumingMemoryBound(to: Float.self)
    maxima = floats
    firsts = (base + Self.queries * 4).assumingMemoryBound(to: Int32.self)
    lasts = (base + Self.queries * 8).assumingMemoryBound(to: Int32.self)
    sums = floats + Self.queries * 3
    weights = floats + Self.queries * 19
    outputs = floats + (Self.queries * 19 + Self.weightCount)
  }

  /// Makes ready for `count` queries that have seen nothing.
  func begin(_ count: Int, headStride: Int) {
    maxima.update(repeating: -.infinity, count: count)
    sums.update(repeating: 0, count: count * 16)
    outputs.update(repeating: 0, count: count * headStride)
  }

  /// Notes that some queries see positions of the next page.
  func see(_ positions: Range<Int>, _ queries: Range<Int>) {
    for query in queries {
      firsts[query] = Int32(truncatingIfNeeded: positions.lowerBound)
      lasts[query] = Int32(truncatingIfNeeded: positions.upperBound)
    }
  }

  /// The sum of a query's weights: sixteen partial sums, added in order.
  func sum(_ query: Int) -> Float {
    var sum: Float = 0
    for lane in 0..<16 { sum += sums[query * 16 + lane] }
    return sum
  }
}
