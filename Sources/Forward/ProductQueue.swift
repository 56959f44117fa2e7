// The queue of products: every matrix product of the pass goes through `add` and `run`, and the
// panels of all products that are queued together are shared among the workers.
import Kernels
import Workers

/// A product that is to run: rows of activations times a matrix.
struct ProductTask {
  let matrix: Matrix
  let input: UnsafeRawPointer
  /// Bytes from row to row of the input.
  let inputStride: Int
  let rowCount: Int
  let out: FloatBuffer

  // Set by `ProductQueue.run`.

  /// Panels and rows of a unit.
  var panelChunk = 1
  var rowChunk = 1
  /// The first of its units among those of all tasks.
  var firstUnit = 0
}

/// The products that run together.
final class ProductQueue {
  /// The work that follows the products of a unit, while their outputs are in the cache.
  enum Epilogue {
    case none
    /// Tasks come in pairs, a gate and its up; a unit computes some panels of both, and then the
    /// gate's become silu(gate) up.
    case swiGLU
  }

  private let tasks: UnsafeMutablePointer<ProductTask>
  private let capacity: Int
  private var count = 0
  private var epilogue = Epilogue.none
  private let workers: Workers
  private let scratch: Scratch
  private let faults: FaultFlag
  private let swiGLU: KernelTable.SwiGLU

  init(
    capacity: Int, workers: Workers, scratch: Scratch, faults: FaultFlag,
    swiGLU: @escaping KernelTable.SwiGLU
  ) {
    tasks = .allocate(capacity: capacity)
    self.capacity = capacity
    self.workers = workers
    self.scratch = scratch
    self.faults = faults
    self.swiGLU = swiGLU
  }

  deinit { tasks.deallocate() }

  /// Queues out[row] = matrix activations[row] for `rows`; the first of them is written to row
  /// `target` of `out`, by default to its own.
  func add(
    _ matrix: Matrix, _ activations: Activations, _ rows: Range<Int>, into out: FloatBuffer,
    at target: Int? = nil
  ) {
    guard count < capacity else { return faults.raise(.fullQueue) }
    (tasks + count).initialize(
      to: ProductTask(
        matrix: matrix, input: activations.input(of: matrix, rows.lowerBound),
        inputStride: activations.rowStride(matrix.form), rowCount: rows.count,
        out: out.rows(from: target ?? rows.lowerBound)))
    count += 1
  }

  /// Runs the queued products and leaves the queue empty.
  func run(then epilogue: Epilogue = .none) {
    self.epilogue = epilogue
    var unitCount = 0
    for first in stride(from: 0, to: count, by: step) {
      cut(first)
      tasks[first].firstUnit = unitCount
      unitCount += tasks[first].panelUnits * tasks[first].rowUnits
    }
    workers.run(unitCount, Unmanaged.passUnretained(self).toOpaque()) { context, unit, worker in
      Unmanaged<ProductQueue>.fromOpaque(context)._withUnsafeGuaranteedRef {
        $0.multiply(unit, worker)
      }
    }
    count = 0
  }

  /// Tasks that share their units.
  private var step: Int { epilogue == .swiGLU ? 2 : 1 }

  /// Does one unit.
  private func multiply(_ unit: Int, _ worker: Int) {
    let index = task(of: unit)
    let task = tasks + index
    let place = unit - task.pointee.firstUnit
    let (down, across) = place.quotientAndRemainder(dividingBy: task.pointee.panelUnits)
    let (panels, rows) = (task.pointee.panels(across), task.pointee.rows(down))
    let workspace = scratch.workspace(worker)
    task.pointee.multiply(panels, rows, workspace)
    if epilogue == .swiGLU {
      (task + 1).pointee.multiply(panels, rows, workspace)
      let first = panels.lowerBound * panelRows
      for row in rows {
        swiGLU(
          task.pointee.out.row(row) + first, (task + 1).pointee.out.row(row) + first, panels.count)
      }
    }
  }

  /// The first task of a unit: the last one whose units do not begin after it.
  private func task(of unit: Int) -> Int {
    var (low, high) = (0, count / step)
    while high - low > 1 {
      let middle = (low + high) / 2
      if tasks[middle * step].firstUnit <= unit { low = middle } else { high = middle }
    }
    return low * step
  }

  /// Decides the units of a task, and of the one that shares them: about eight a thread, and for
  /// the rows of a prompt no more panels than the second-level cache keeps while they pass by.
  ///
  /// Little work stays whole. Four to twenty-four units a thread decode alike within the noise (7B,
  /// 2 threads). Rows are cut where the panels are too few for the threads (a router has one), but
  /// for rows that a product reads interleaved.
  private func cut(_ first: Int) {
    let task = tasks + first
    let (matrix, rowCount) = (task.pointee.matrix, task.pointee.rowCount)
    let panels = max(matrix.panelCount, 1)
    task.pointee.panelChunk = panels
    task.pointee.rowChunk = max(rowCount, 1)
    if workers.count > 1, panels * matrix.panelStride * rowCount >= 48 << 10 {
      let share = max(panels / (workers.count * 8), 4)
      let kept = max((256 << 10) / max(matrix.panelStride, 1), 1)
      task.pointee.panelChunk = rowCount > 4 ? min(share, kept) : share
      var isInterleaved = false
      for other in first..<first + step where tasks[other].matrix.tiles != nil {
        isInterleaved = true
      }
      if !isInterleaved, task.pointee.panelUnits < workers.count {
        task.pointee.rowChunk = max(16, rowCount / (workers.count * 8))
      }
    }
  }
}

extension ProductTask {
  /// Units side by side that cover the panels, and one after the other that cover the rows.
  var panelUnits: Int { (matrix.panelCount + panelChunk - 1) / panelChunk }
  var rowUnits: Int { (rowCount + rowChunk - 1) / rowChunk }

  func panels(_ across: Int) -> Range<Int> {
    let first = across * panelChunk
    return first..<min(first + panelChunk, matrix.panelCount)
  }

  func rows(_ down: Int) -> Range<Int> {
    let first = down * rowChunk
    return first..<min(first + rowChunk, rowCount)
  }

  /// out[rows][panels] = input[rows] x panels.
  func multiply(
    _ panels: Range<Int>, _ rows: Range<Int>, _ workspace: UnsafeMutableRawPointer
  ) {
    matrix.multiply(
      panels: panels, activations: input + rows.lowerBound * inputStride, rowStride: inputStride,
      rowCount: rows.count, into: out.rows(from: rows.lowerBound), workspace: workspace)
  }
}
