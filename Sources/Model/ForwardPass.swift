// The forward pass, and the only one: one token, a piece of a prompt and a batch of many sessions
// are the same code. Each phase is a number of units that the workers share: rows, groups of rows,
// or panels of a matrix. A layer reads from top to bottom in the order of the papers:
//
//   x = x + Wo attention(norm(x))          ForwardPass+Attention.swift
//   x = x + feedForward(norm(x))           ForwardPass+FeedForward.swift
import Kernels
import Quantization
import Workers

/// The forward pass of one model.
///
/// Counts and strides of a pass, here and in the extensions, are those of buffers that exist: the
/// sizes of `scratch` were checked when it was made, those of the weights when they were planned, a
/// batch has at most `scratch.rows` rows, and positions are below the context of their session. No
/// product or sum of them wraps.
final class ForwardPass {
  let shape: Hyperparameters
  let weights: Weights
  let table: KernelTable
  let workers: Workers
  let rotary: Rotary
  /// `headWidth` rounded up to whole vectors.
  let headStride: Int
  let headsPerKVHead: Int
  let scratch: Scratch
  /// The rows of the pass that runs.
  var batch: Batch
  /// The layer that runs.
  var layerIndex = 0
  var layer: UnsafeMutablePointer<Layer>
  /// The products that run together.
  let tasks: UnsafeMutablePointer<ProductTask>
  var taskCount = 0
  var unitCount = 0

  static let mostTasks = 3

  init(
    shape: Hyperparameters, weights: Weights, table: KernelTable, workers: Workers,
    scratch: Scratch
  ) {
    self.shape = shape
    self.weights = weights
    self.table = table
    self.workers = workers
    headStride = Kernels.headStride(shape.headWidth)
    headsPerKVHead = shape.headsPerKVHead
    self.scratch = scratch
    rotary = Rotary(shape, factors: weights.ropeFactors)
    layer = weights.layers
    tasks = .allocate(capacity: Self.mostTasks)
    batch = Batch(
      rows: Self.buffer(scratch.rows), groups: Self.buffer(scratch.rows),
      outputs: Self.buffer(scratch.rows))
  }

  deinit {
    tasks.deallocate()
    batch.rows.deallocate()
    batch.groups.deallocate()
    batch.outputs.deallocate()
  }

  /// Room for `rows` elements, each smaller than a row of `scratch.hidden`.
  private static func buffer<Element>(_ rows: Int) -> UnsafeMutablePointer<Element> {
    UnsafeMutableRawPointer.allocate(
      byteCount: rows &* MemoryLayout<Element>.stride, alignment: MemoryLayout<Element>.alignment
    ).bindMemory(to: Element.self, capacity: rows)
  }

  /// Computes all rows of `batch`: writes their keys and values, and the stream of the rows whose
  /// logits are wanted, which alone are left in `batch`.
  ///
  /// False when between layers `isCancelled` said so, or the weights are damaged.
  func run() -> Bool {
    forRows { pass, row, _ in pass.begin(row) }
    var index = 0
    while index < shape.layers {
      if batch.isCancelled || weights.isDamaged { return false }
      layerIndex = index
      layer = weights.layers + index
      attention()
      if batch.rowCount > 0 { feedForward() }
      index &+= 1
    }
    return true
  }

  /// The logits of `count` (at most `Scratch.outputRows`) of `batch.outputs` from `first` on, into
  /// `scratch.logits`.
  func logits(from first: Int, count: Int) {
    var i = 0
    while i < count {
      let x = scratch.hidden + batch.outputs[first &+ i] &* scratch.hiddenStride
      table.rmsNorm(
        x, weights.outputNorm, scratch.hiddenStride &>> 4, shape.hiddenWidth, shape.normEpsilon,
        scratch.normed.values + i &* scratch.normed.stride)
      prepare(
        scratch.normed, row: i, of: count, FormSet(weights.output.form), width: shape.hiddenWidth)
      i &+= 1
    }
    enqueue(
      weights.output, scratch.normed, rowCount: count, out: scratch.logits,
      outStride: scratch.logitsStride)
    multiply()
  }

  /// A row's embedding and the angles of its position.
  private func begin(_ row: Int) {
    let description = batch.rows[row]
    weights.embed(Int(description.token), into: scratch.hidden + row &* scratch.hiddenStride)
    rotary.angles(
      position: description.position, into: scratch.angles + row &* shape.ropeWidth)
  }

  // MARK: Pieces of every phase

  /// (pass, piece, worker).
  typealias Piece = @Sendable (ForwardPass, Int, Int) -> Void

  /// Runs `body` once a row, the rows shared among the workers.
  func forRows(_ body: @escaping Piece) {
    forEach(batch.rowCount, body)
  }

  /// Runs `body` for each of `count` small pieces, in runs of neighbours shared among the workers:
  /// about eight runs a thread, so that claiming them costs little.
  func forEach(_ count: Int, _ body: @escaping Piece) {
    let run = max(1, count / max(1, workers.count &* 8))
    share((count &+ run &- 1) / run, UnitJob(pass: self, count: count, run: run, body: body))
  }

  /// Runs `body` for each unit, shared among the workers.
  func forUnits(_ count: Int, _ body: @escaping Piece) {
    share(count, UnitJob(pass: self, count: count, run: 1, body: body))
  }

  private func share(_ units: Int, _ job: UnitJob) {
    withUnsafePointer(to: job) { job in
      workers.run(units, job) { context, unit, worker in
        let job = context.assumingMemoryBound(to: UnitJob.self)
        var piece = unit &* job.pointee.run
        let end = min(piece &+ job.pointee.run, job.pointee.count)
        while piece < end {
          job.pointee.body(job.pointee.pass, piece, worker)
          piece &+= 1
        }
      }
    }
  }

  private struct UnitJob {
    unowned(unsafe) let pass: ForwardPass
    let count: Int
    let run: Int
    let body: Piece
  }

  /// Makes the forms of a row that products of the `count` rows from `first` on will read.
  func prepare(
    _ activations: Activations, row: Int, first: Int = 0, of count: Int, _ forms: FormSet,
    width: Int
  ) {
    let values = activations.values + row &* activations.stride
    if forms.contains(FormSet(.float)), activations.hasFloatsApart {
      activations.place(
        values, row: row, first: first, of: count, table.floatRows, width: width)
    }
    if forms.contains(FormSet(.blocks256)) {
      table.quantize256(values, width / 256, activations.row(row, .blocks256))
    }
    if forms.contains(FormSet(.blocks32)) {
      table.quantize32(values, width / 32, activations.row(row, .blocks32))
    }
  }

  /// Adds a product to those that `multiply` runs together, at most `mostTasks`.
  func enqueue(
    _ matrix: Matrix, _ activations: Activations, rowCount: Int,
    out: UnsafeMutablePointer<Float>, outStride: Int
  ) {
    guard taskCount < Self.mostTasks else { return }
    let chunk = max(1, chunk(of: matrix, rowCount: rowCount))
    (tasks + taskCount).initialize(
      to: ProductTask(
        matrix: matrix, input: UnsafeRawPointer(activations.row(0, matrix.form)),
        inputStride: activations.rowStride(matrix.form), rowCount: rowCount, out: out,
        outStride: outStride, chunk: chunk, firstUnit: unitCount))
    unitCount &+= (matrix.panelCount &+ chunk &- 1) / chunk
    taskCount &+= 1
  }

  /// Runs the enqueued products, their panels shared among the workers.
  func multiply() {
    forUnits(unitCount) { pass, unit, worker in pass.multiplyUnit(unit, worker) }
    taskCount = 0
    unitCount = 0
  }

  private func multiplyUnit(_ unit: Int, _ worker: Int) {
    var index = taskCount &- 1
    while index > 0, unit < tasks[index].firstUnit { index &-= 1 }
    let task = tasks + index
    let first = (unit &- task.pointee.firstUnit) &* task.pointee.chunk
    task.pointee.matrix.multiply(
      panels: first, count: min(task.pointee.chunk, task.pointee.matrix.panelCount &- first),
      activations: task.pointee.input, rowStride: task.pointee.inputStride,
      rowCount: task.pointee.rowCount, into: task.pointee.out, outStride: task.pointee.outStride,
      workspace: scratch.workspace(worker))
  }

  /// Panels of a unit: about eight units a thread, and for the rows of a prompt no more than the
  /// second-level cache keeps while they pass by.
  ///
  /// Little work stays whole. Four to twenty-four units a thread decode alike within the noise (7B,
  /// 2 threads).
  func chunk(of matrix: Matrix, rowCount: Int) -> Int {
    let panels = matrix.panelCount
    let byteCount = panels &* matrix.panelStride
    if workers.count == 1 || byteCount &* rowCount < 48 << 10 { return max(panels, 1) }
    let share = max(panels / max(1, workers.count &* 8), 4)
    guard rowCount > 4 else { return share }
    return max(1, min(share, (256 << 10) / max(matrix.panelStride, 1)))
  }
}

/// One product of a phase.
struct ProductTask {
  let matrix: Matrix
  let input: UnsafeRawPointer
  let inputStride: Int
  let rowCount: Int
  let out: UnsafeMutablePointer<Float>
  let outStride: Int
  let chunk: Int
  let firstUnit: Int
}
