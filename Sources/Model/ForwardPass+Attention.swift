// Attention of one layer: norm, query, key and value, rotation, cache, online softmax, output.
import Kernels
import Quantization

extension ForwardPass {
  /// x = x + Wo attention(norm(x)).
  ///
  /// The sum is left to `feedForward`, which reads x next.
  func attention() {
    let layer = self.layer.pointee
    let rows = batch.rows.count
    forRows { pass, row in
      pass.norm(row, pass.layer.pointee.attentionNorm)
      pass.prepare(
        pass.scratch.normed, row: row, pass.layer.pointee.attentionForms,
        width: pass.shape.hiddenWidth)
    }
    enqueue(
      layer.query, scratch.normed, rowCount: rows, out: scratch.query,
      outStride: scratch.queryStride)
    enqueue(
      layer.key, scratch.normed, rowCount: rows, out: scratch.key, outStride: scratch.kvStride)
    enqueue(
      layer.value, scratch.normed, rowCount: rows, out: scratch.value,
      outStride: scratch.kvStride)
    multiply()
    forRows { pass, row in pass.rotateAndStore(row) }
    attend()
    forRows { pass, row in
      pass.prepare(
        pass.scratch.attended, row: row, FormSet(pass.layer.pointee.output.form),
        width: pass.shape.heads &* pass.shape.headWidth)
    }
    enqueue(
      layer.output, scratch.attended, rowCount: rows, out: scratch.added,
      outStride: scratch.hiddenStride)
    multiply()
  }

  /// normed = norm(x) of one row.
  func norm(_ row: Int, _ weight: UnsafePointer<Float>) {
    table.rmsNorm(
      scratch.hidden + row &* scratch.hiddenStride, weight, scratch.hiddenStride &>> 4,
      shape.hiddenWidth, shape.normEpsilon, scratch.normed.values + row &* scratch.normed.stride)
  }

  /// Rotates a row's queries and keys and writes keys and values to its place in the cache.
  private func rotateAndStore(_ row: Int) {
    let description = batch.rows[row]
    let width = shape.headWidth
    let stride = headStride
    let angles = scratch.angles + row &* shape.ropeWidth
    let group = shape.headsPerKVHead
    let queries = scratch.query + row &* scratch.queryStride
    for head in 0..<shape.heads {
      let kvHead = head / group
      let place = (kvHead &* batch.rows.count &+ row) &* group &+ head % group
      Rotary.rotate(
        queries + head &* width, width: width, angles: angles, pairs: rotary.pairs,
        into: scratch.rotated + place &* stride)
    }
    let session = batch.sessions[description.session]
    guard let page = session.cache.base(description.position / pagePositions) else { return }
    let layout = session.cache.layout
    let store = table.store(layout.type)
    let key = scratch.key + row &* scratch.kvStride
    let value = scratch.value + row &* scratch.kvStride
    for head in 0..<shape.kvHeads {
      let k = key + head &* width
      // In place: a pair is read before it is written.
      Rotary.rotate(k, width: width, angles: angles, pairs: rotary.pairs, into: k)
      var entry = CacheEntry(
        key: k, value: value + head &* width,
        keys: page + layout.keys(layerIndex, head),
        values: page + layout.values(layerIndex, head),
        position: description.position % pagePositions, headWidth: width, headStride: stride)
      withUnsafePointer(to: &entry) { store($0) }
    }
  }

  /// attended = softmax(q k / sqrt(headWidth)) v, one unit a group of rows and key-value head.
  private func attend() {
    let groups = batch.groups.count
    var job = AttentionJob(pass: Unmanaged.passUnretained(self))
    withUnsafePointer(to: &job) { job in
      workers.run(groups &* shape.kvHeads, job) { context, unit, worker in
        let pass = context.assumingMemoryBound(to: AttentionJob.self).pointee.pass
          .takeUnretainedValue()
        pass.attend(
          pass.batch.groups[unit / pass.shape.kvHeads], head: unit % pass.shape.kvHeads, worker)
      }
    }
  }

  private struct AttentionJob {
    let pass: Unmanaged<ForwardPass>
  }

  private func attend(_ group: RowGroup, head: Int, _ worker: Int) {
    let heads = shape.headsPerKVHead
    let stride = headStride
    let count = group.count &* heads
    let work = AttentionWorkspace(
      scratch.workspaces + worker &* scratch.workspaceStride, headStride: stride)
    work.maxima.update(repeating: -Float.infinity, count: count)
    work.sums.update(repeating: 0, count: count &* 16)
    work.outputs.update(repeating: 0, count: count &* stride)
    let queries =
      scratch.rotated + (head &* batch.rows.count &+ group.firstRow) &* heads &* stride
    let window = shape.slidingWindow == 0 ? Int.max : shape.slidingWindow
    let last = group.firstPosition &+ group.count &- 1
    var index = max(0, group.firstPosition &- window &+ 1) / pagePositions
    while index <= last / pagePositions {
      visit(page: index, group, head, queries, work, window)
      index &+= 1
    }
    finish(group, head, work)
  }

  /// Joins one page to the queries that see some of it.
  private func visit(
    page index: Int, _ group: RowGroup, _ head: Int, _ queries: UnsafePointer<Float>,
    _ work: AttentionWorkspace, _ window: Int
  ) {
    let layout = batch.sessions[group.session].cache.layout
    guard let base = batch.sessions[group.session].cache.base(index) else { return }
    let heads = shape.headsPerKVHead
    let start = index &* pagePositions
    var first = group.count
    var end = 0
    for row in 0..<group.count {
      let position = group.firstPosition &+ row
      let from = max(0, position &- window &+ 1 &- start)
      let to = min(pagePositions, position &+ 1 &- start)
      guard from < to else { continue }
      first = min(first, row)
      end = row &+ 1
      for i in row &* heads..<(row &+ 1) &* heads {
        work.firsts[i] = Int32(truncatingIfNeeded: from)
        work.lasts[i] = Int32(truncatingIfNeeded: to)
      }
    }
    guard first < end else { return }
    let skip = first &* heads
    let stride = headStride
    // A page that is not there is the last one: then this one stands for it.
    let next = batch.sessions[group.session].cache.base(index &+ 1) ?? base
    var job = AttentionPage(
      keys: base + layout.keys(layerIndex, head), values: base + layout.values(layerIndex, head),
      next: next + layout.keys(layerIndex, head), queries: queries + skip &* stride,
      count: (end &- first) &* heads,
      headWidth: shape.headWidth, headStride: stride,
      scale: 1 / Float(shape.headWidth).squareRoot(), firsts: work.firsts + skip,
      lasts: work.lasts + skip, maxima: work.maxima + skip, sums: work.sums + skip &* 16,
      outputs: work.outputs + skip &* stride, weights: work.weights)
    let attend = table.attend(layout.type)
    withUnsafePointer(to: &job) { attend($0) }
  }

  /// Divides by the sums of the weights and writes the heads of each row.
  private func finish(_ group: RowGroup, _ head: Int, _ work: AttentionWorkspace) {
    let heads = shape.headsPerKVHead
    let stride = headStride
    for row in 0..<group.count {
      let out = scratch.attended.values + (group.firstRow &+ row) &* scratch.attended.stride
      for i in 0..<heads {
        let query = row &* heads &+ i
        // Sixteen partial sums, added in order.
        var sum: Float = 0
        for lane in 0..<16 { sum += work.sums[query &* 16 &+ lane] }
        let factor = 1 / sum
        let to = out + (head &* heads &+ i) &* shape.headWidth
        for c in 0..<shape.headWidth { to[c] = work.outputs[query &* stride &+ c] * factor }
      }
    }
  }
}
