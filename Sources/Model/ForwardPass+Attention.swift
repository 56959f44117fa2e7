// Attention of one layer: norm, query, key and value, rotation, cache, online softmax, output.
import Kernels
import Quantization

extension ForwardPass {
  /// x = x + Wo attention(norm(x)).
  ///
  /// The sum is left to `feedForward`, which reads x next.
  func attention() {
    normForAttention()
    enqueueKeysAndValues()
    // What the last layer adds to the other rows nobody reads.
    if layerIndex == shape.layers &- 1, batch.outputCount < batch.rowCount {
      multiply()
      forRows { pass, row, _ in pass.rotateAndStoreKeys(row) }
      keepOutputs()
      if batch.rowCount == 0 { return }
      normForAttention()
      enqueueQueries()
      multiply()
      forRows { pass, row, _ in pass.rotateQueries(row) }
    } else {
      enqueueQueries()
      multiply()
      forRows { pass, row, _ in
        pass.rotateQueries(row)
        pass.rotateAndStoreKeys(row)
      }
    }
    attend()
    forRows { pass, row, _ in
      pass.prepare(
        pass.scratch.attended, row: row, of: pass.batch.rowCount,
        FormSet(pass.layer.pointee.output.form), width: pass.shape.heads &* pass.shape.headWidth)
    }
    enqueue(
      layer.pointee.output, scratch.attended, rowCount: batch.rowCount, out: scratch.added,
      outStride: scratch.hiddenStride)
    multiply()
  }

  /// normed = norm(x), as queries, keys and values read it.
  private func normForAttention() {
    forRows { pass, row, _ in
      pass.norm(row, pass.layer.pointee.attentionNorm)
      pass.prepare(
        pass.scratch.normed, row: row, of: pass.batch.rowCount, pass.layer.pointee.attentionForms,
        width: pass.shape.hiddenWidth)
    }
  }

  private func enqueueQueries() {
    enqueue(
      layer.pointee.query, scratch.normed, rowCount: batch.rowCount, out: scratch.query,
      outStride: scratch.queryStride)
  }

  private func enqueueKeysAndValues() {
    enqueue(
      layer.pointee.key, scratch.normed, rowCount: batch.rowCount, out: scratch.key,
      outStride: scratch.kvStride)
    enqueue(
      layer.pointee.value, scratch.normed, rowCount: batch.rowCount, out: scratch.value,
      outStride: scratch.kvStride)
  }

  /// Moves the stream and the angles of the rows whose logits are wanted to the front, and drops
  /// the others from the batch.
  private func keepOutputs() {
    var output = 0
    while output < batch.outputCount {
      let row = batch.outputs[output]
      (scratch.hidden + output &* scratch.hiddenStride)
        .update(from: scratch.hidden + row &* scratch.hiddenStride, count: scratch.hiddenStride)
      (scratch.angles + output &* shape.ropeWidth)
        .update(from: scratch.angles + row &* shape.ropeWidth, count: shape.ropeWidth)
      output &+= 1
    }
    batch.keepOutputs(headsPerKVHead: headsPerKVHead)
  }

  /// normed = norm(x) of one row.
  func norm(_ row: Int, _ weight: UnsafePointer<Float>) {
    table.rmsNorm(
      scratch.hidden + row &* scratch.hiddenStride, weight, scratch.hiddenStride &>> 4,
      shape.hiddenWidth, shape.normEpsilon, scratch.normed.values + row &* scratch.normed.stride)
  }

  /// Rotates a row's keys and writes keys and values to its place in the cache.
  private func rotateAndStoreKeys(_ row: Int) {
    let description = batch.rows[row]
    let width = shape.headWidth
    let stride = headStride
    let angles = scratch.angles + row &* shape.ropeWidth
    let session = description.session
    guard let page = session.cache.base(description.position / pagePositions) else { return }
    let layout = session.cache.layout
    let store = table.store(layout.type)
    let key = scratch.key + row &* scratch.kvStride
    let value = scratch.value + row &* scratch.kvStride
    var head = 0
    while head < shape.kvHeads {
      let k = key + head &* width
      // In place: a pair is read before it is written.
      Rotary.rotate(k, width: width, angles: angles, pairs: rotary.pairs, into: k)
      var entry = CacheEntry(
        key: k, value: value + head &* width,
        keys: page + layout.keys(layerIndex, head),
        values: page + layout.values(layerIndex, head),
        position: description.position % pagePositions, headWidth: width, headStride: stride)
      withUnsafePointer(to: &entry) { store($0) }
      head &+= 1
    }
  }

  /// Rotates a row's queries into the order in which attention reads them.
  private func rotateQueries(_ row: Int) {
    let width = shape.headWidth
    let angles = scratch.angles + row &* shape.ropeWidth
    let group = headsPerKVHead
    var query = UnsafePointer(scratch.query + row &* scratch.queryStride)
    var head = 0
    while head < shape.kvHeads {
      var place = scratch.rotated + (head &* batch.rowCount &+ row) &* group &* headStride
      var i = 0
      while i < group {
        Rotary.rotate(query, width: width, angles: angles, pairs: rotary.pairs, into: place)
        query += width
        place += headStride
        i &+= 1
      }
      head &+= 1
    }
  }

  /// attended = softmax(q k / sqrt(headWidth)) v, one unit a group of rows and key-value head.
  private func attend() {
    var job = AttentionJob(pass: Unmanaged.passUnretained(self))
    withUnsafePointer(to: &job) { job in
      workers.run(batch.groupCount &* shape.kvHeads, job) { context, unit, worker in
        let pass = context.assumingMemoryBound(to: AttentionJob.self).pointee.pass
          .takeUnretainedValue()
        let heads = max(1, pass.shape.kvHeads)
        pass.attend(pass.batch.groups[unit / heads], head: unit % heads, worker)
      }
    }
  }

  private struct AttentionJob {
    let pass: Unmanaged<ForwardPass>
  }

  private func attend(_ group: RowGroup, head: Int, _ worker: Int) {
    let heads = headsPerKVHead
    let stride = headStride
    let count = group.count &* heads
    let work = AttentionWorkspace(
      scratch.workspace(worker), headStride: stride)
    fill(work.maxima, count, -Float.infinity)
    fill(work.sums, count &* 16, 0)
    fill(work.outputs, count &* stride, 0)
    let queries =
      scratch.rotated + (head &* batch.rowCount &+ group.firstRow) &* heads &* stride
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
    let session = group.session
    let layout = session.cache.layout
    guard let base = session.cache.base(index) else { return }
    let heads = headsPerKVHead
    let start = index &* pagePositions
    var first = group.count
    var end = 0
    var row = 0
    while row < group.count {
      defer { row &+= 1 }
      let position = group.firstPosition &+ row
      let from = max(0, position &- window &+ 1 &- start)
      let to = min(pagePositions, position &+ 1 &- start)
      guard from < to else { continue }
      first = min(first, row)
      end = row &+ 1
      fill(work.firsts + row &* heads, heads, Int32(truncatingIfNeeded: from))
      fill(work.lasts + row &* heads, heads, Int32(truncatingIfNeeded: to))
    }
    guard first < end else { return }
    let skip = first &* heads
    let stride = headStride
    // A page that is not there is the last one: then this one stands for it.
    let next = session.cache.base(index &+ 1) ?? base
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
    let heads = headsPerKVHead
    let width = shape.headWidth
    var row = 0
    while row < group.count {
      let out = scratch.attended.values + (group.firstRow &+ row) &* scratch.attended.stride
      var i = 0
      while i < heads {
        let query = row &* heads &+ i
        // Sixteen partial sums, added in order.
        var sum: Float = 0
        for lane in 0..<16 { sum += work.sums[query &* 16 &+ lane] }
        let factor = 1 / sum
        let from = work.outputs + query &* headStride
        let to = out + (head &* heads &+ i) &* width
        var c = 0
        while c < width {
          to[c] = from[c] * factor
          c &+= 1
        }
        i &+= 1
      }
      row &+= 1
    }
  }
}
