// The forward pass, and the only one: one token, a piece of a prompt and a batch of many sessions
// are the same code. A layer reads from top to bottom in the order of the papers:
//
//   x = x + Wo attention(norm(x))
//   x = x + sum of w_e down_e(silu(gate_e n) up_e n), n = norm(x), e the experts of a row
//
// A phase is a number of pieces that the workers share (WorkSharing.swift). Products run in one
// queue (ProductQueue.swift), attention reads the pages of a session (PagedAttention.swift), and
// rows find their experts in Experts.swift.
import Base
import Kernels
import Workers

/// The forward pass of one model.
package final class ForwardPass {
  package let shape: Hyperparameters
  let weights: LayerWeights
  let table: KernelTable
  let workers: Workers
  let rotary: Rotary
  package let scratch: Scratch
  let queue: ProductQueue
  /// The rows of the pass that runs.
  package var batch: Batch
  /// The layer that runs.
  var layerIndex = 0
  var layer: UnsafePointer<Layer>
  /// Where the parts of a page lie, by `CacheType.rawValue`.
  let layouts: UnsafePointer<PageLayout>
  let faults: FaultFlag

  @export(interface)
  package init(
    shape: Hyperparameters, weights: LayerWeights, table: KernelTable, workers: Workers,
    scratch: Scratch
  ) {
    self.shape = shape
    self.weights = weights
    self.table = table
    self.workers = workers
    self.scratch = scratch
    faults = FaultFlag()
    rotary = Rotary(shape, factors: weights.ropeFactors)
    queue = ProductQueue(
      capacity: 2 * max(2, shape.experts), workers: workers, scratch: scratch, faults: faults,
      swiGLU: table.swiGLU)
    layer = UnsafePointer(weights.layers)
    batch = Batch(capacity: scratch.rows, queriesPerRow: shape.headsPerKVHead)
    layouts = PageLayout.all(shape)
  }

  deinit {
    batch.deallocate()
    rotary.deallocate()
    layouts.deallocate()
  }

  /// Computes all rows of `batch`: writes their keys and values, and the stream of the rows whose
  /// logits are wanted, which alone are left in `batch`.
  ///
  /// `isStopped` is asked before each layer; false when it said so.
  @export(interface)
  package func run(unless isStopped: () -> Bool) -> Bool {
    forRows { pass, row, worker in pass.begin(row, worker) }
    for index in 0..<shape.layers {
      if isStopped() { return false }
      layerIndex = index
      layer = UnsafePointer(weights.layers + index)
      attention()
      if batch.rowCount > 0 { feedForward() }
    }
    return true
  }

  /// The logits of `count` (at most `Scratch.outputRows`) of `batch.outputs` from `first` on, into
  /// `scratch.logits`.
  @export(interface)
  package func logits(from first: Int, count: Int) {
    for i in 0..<count {
      normalise(batch.outputs[first + i], weights.outputNorm, into: i)
      prepare(scratch.normed, i, of: 0..<count, FormSet(weights.output.form))
    }
    queue.add(weights.output, scratch.normed, 0..<count, into: scratch.logits)
    queue.run()
  }

  /// The fault that makes the results of the passes since the last call unusable, nil when none.
  package func takeFault() -> PassFault? { faults.take() }

  // MARK: A layer

  /// x = x + Wo attention(norm(x)); the sum is left to `feedForward`, which reads x next.
  private func attention() {
    normaliseForAttention()
    queue.add(layer.pointee.key, scratch.normed, rows, into: scratch.key)
    queue.add(layer.pointee.value, scratch.normed, rows, into: scratch.value)
    if layerIndex == shape.layers - 1, batch.outputCount < batch.rowCount {
      // From here on only the rows whose logits are wanted take part.
      queue.run()
      forRows { pass, row, _ in pass.rotateAndStoreKeys(row) }
      keepOutputs()
      if batch.rowCount == 0 { return }
      normaliseForAttention()
      queue.add(layer.pointee.query, scratch.normed, rows, into: scratch.query)
      queue.run()
      forRows { pass, row, _ in pass.rotateQueries(row) }
    } else {
      queue.add(layer.pointee.query, scratch.normed, rows, into: scratch.query)
      queue.run()
      forRows { pass, row, _ in
        pass.rotateQueries(row)
        pass.rotateAndStoreKeys(row)
      }
    }
    attend()
    forRows { pass, row, _ in
      let form = FormSet(pass.layer.pointee.output.form)
      pass.prepare(pass.scratch.attended, row, of: pass.rows, form)
    }
    queue.add(layer.pointee.output, scratch.attended, rows, into: scratch.added)
    queue.run()
  }

  /// x = x + what attention added; x = x + sum of w_e down_e(silu(gate_e n) up_e n), n = norm(x).
  ///
  /// A dense layer is one expert that every row has.
  private func feedForward() {
    forRows { pass, row, _ in
      pass.addToStream(row)
      pass.normalise(row, pass.layer.pointee.feedForwardNorm, into: row)
      pass.prepare(pass.scratch.normed, row, of: pass.rows, pass.layer.pointee.feedForwardForms)
    }
    route()
    for expert in activeExperts {
      let (input, inputRows) = expertInput(expert)
      let first = slots(of: expert).lowerBound
      queue.add(layer.pointee.gate[expert], input, inputRows, into: scratch.gated.values, at: first)
      queue.add(layer.pointee.up[expert], input, inputRows, into: scratch.up, at: first)
    }
    queue.run(then: .swiGLU)
    forEach(slotCount) { pass, slot, _ in
      let form = pass.layer.pointee.downForms
      pass.prepare(pass.scratch.gated, slot, of: pass.neighbours(of: slot), form)
    }
    for expert in activeExperts {
      queue.add(
        layer.pointee.down[expert], scratch.gated, slots(of: expert), into: scratch.added)
    }
    queue.run()
    forRows { pass, row, _ in pass.combine(row) }
  }

  // MARK: Pieces of its phases

  var rows: Range<Int> { 0..<batch.rowCount }

  /// A row's embedding, and the angles of its position.
  private func begin(_ row: Int, _ worker: Int) {
    let description = batch.rows[row]
    let x = scratch.hidden.row(row)
    weights.embed(Int(description.token), x, scratch.workspace(worker))
    // A row that was no number before must not stay so beyond the width.
    for i in shape.hiddenWidth..<max(shape.hiddenWidth, scratch.hidden.stride) { x[i] = 0 }
    rotary.angles(position: description.position, into: scratch.angles.row(row))
  }

  /// normed = norm(x), as queries, keys and values read it.
  private func normaliseForAttention() {
    forRows { pass, row, _ in
      pass.normalise(row, pass.layer.pointee.attentionNorm, into: row)
      pass.prepare(pass.scratch.normed, row, of: pass.rows, pass.layer.pointee.attentionForms)
    }
  }

  /// normed[target] = norm(x[row]).
  private func normalise(_ row: Int, _ weight: UnsafePointer<Float>, into target: Int) {
    table.rmsNorm(
      scratch.hidden.row(row), weight, scratch.hidden.stride / 16, shape.hiddenWidth,
      shape.normEpsilon, scratch.normed.values.row(target))
  }

  /// Makes the forms of a row that products of `rows` read together.
  private func prepare(
    _ activations: Activations, _ row: Int, of rows: Range<Int>, _ forms: FormSet
  ) {
    activations.prepare(row, of: rows, forms, table)
  }

  /// x = x + added.
  func addToStream(_ row: Int) {
    let x = scratch.hidden.row(row)
    let added = scratch.added.row(row)
    for i in 0..<scratch.hidden.stride { x[i] += added[i] }
  }
}
