// Loading: every matrix of the plan is read with `pread` through small buffers, packed by all
// threads, and is then in memory once. The file is not touched again.
import Formats
import Kernels
import Quantization
import Synchronization
import Workers

/// The weights of a model, packed.
package final class Weights: @unchecked Sendable {
  let layers: UnsafeMutablePointer<Layer>
  let embedding: Matrix
  let embeddingFormat: PanelFormat
  let output: Matrix
  let outputNorm: UnsafeMutablePointer<Float>
  let ropeFactors: [Float]?
  let byteCount: Int

  private let memory: Memory
  private let experts: UnsafeMutablePointer<Matrix>
  private let layerCount: Int

  /// Reads and packs all weights of `plan`.
  ///
  /// `progress` is called on this thread with bytes packed and in all; true stops with
  /// `.cancelled`.
  init(
    _ plan: WeightPlan, file: GGUFFile, table: KernelTable, workers: Workers,
    progress: (UInt64, UInt64) -> Bool
  ) throws(EngineError) {
    let memory = try Memory(byteCount: plan.byteCount, for: "the packed weights")
    try WeightLoader(file: file, workers: workers).load(plan, into: memory.base, progress)
    try file.checkUnchanged()

    func matrix(_ index: Int) -> Matrix {
      let planned = plan.matrices[index]
      return Matrix(
        rows: planned.rows, columns: planned.columns, blocks: planned.blocks,
        panelStride: planned.panelStride, form: planned.format.activationForm,
        panels: memory.base + planned.offset, product: table.product(planned.format.panelType))
    }
    func vector(_ index: Int) -> UnsafeMutablePointer<Float> {
      (memory.base + plan.vectors[index].offset).assumingMemoryBound(to: Float.self)
    }
    let experts = UnsafeMutablePointer<Matrix>.allocate(capacity: plan.matrices.count)
    for index in plan.matrices.indices { (experts + index).initialize(to: matrix(index)) }
    func forms(_ first: Int, _ count: Int) -> FormSet {
      (first..<first + count).reduce(into: []) { $0.formUnion(FormSet(experts[$1].form)) }
    }
    layers = .allocate(capacity: plan.layers.count)
    for (index, layer) in plan.layers.enumerated() {
      (layers + index).initialize(
        to: Layer(
          attentionNorm: vector(layer.attentionNorm), query: matrix(layer.query),
          key: matrix(layer.key), value: matrix(layer.value), output: matrix(layer.output),
          feedForwardNorm: vector(layer.feedForwardNorm), router: layer.router.map(matrix),
          gate: experts + layer.gate, up: experts + layer.up, down: experts + layer.down,
          attentionForms: forms(layer.query, 1).union(forms(layer.key, 1))
            .union(forms(layer.value, 1)),
          gateForms: forms(layer.gate, plan.expertCount)
            .union(forms(layer.up, plan.expertCount)),
          downForms: forms(layer.down, plan.expertCount)))
    }
    embedding = matrix(plan.embedding)
    embeddingFormat = plan.matrices[plan.embedding].format
    output = matrix(plan.output)
    outputNorm = vector(plan.outputNorm)
    ropeFactors = plan.ropeFactors.map { index in
      Array(UnsafeBufferPointer(start: vector(index), count: plan.vectors[index].count))
    }
    byteCount = plan.byteCount
    layerCount = plan.layers.count
    self.memory = memory
    self.experts = experts
  }

  deinit {
    layers.deallocate()
    experts.deallocate()
  }

  /// The embedding of a token: hiddenWidth floats.
  func embed(_ token: Int, into out: UnsafeMutablePointer<Float>) {
    embeddingFormat.decode(
      panel: embedding.panels + (token &>> 4) &* embedding.panelStride, lane: token & 15,
      blocks: embedding.blocks, into: out)
  }
}

/// Reads and packs matrix after matrix, the panels of each shared out among the threads.
private final class WeightLoader {
  private let file: GGUFFile
  private let workers: Workers
  /// A reading buffer a thread.
  private var buffers: [Memory] = []
  private var current: PlannedMatrix?
  private var target: UnsafeMutableRawPointer?
  private var panelsPerUnit = 1
  private let failed = Atomic<Bool>(false)
  private let failure = Mutex<EngineError?>(nil)

  /// Bytes a thread reads at once, when a panel is not larger.
  private static let bufferByteCount = 1 << 20

  init(file: GGUFFile, workers: Workers) {
    self.file = file
    self.workers = workers
  }

  func load(
    _ plan: WeightPlan, into base: UnsafeMutableRawPointer, _ progress: (UInt64, UInt64) -> Bool
  ) throws(EngineError) {
    let largestPanel = plan.matrices.map { $0.rowByteCount * panelRows }.max() ?? 0
    for _ in 0..<workers.count {
      buffers.append(
        try Memory(
          byteCount: max(largestPanel, Self.bufferByteCount), for: "reading the weights"))
    }
    for vector in plan.vectors { try load(vector, into: base) }
    let total = plan.matrices.reduce(UInt64(0)) { $0 + UInt64($1.rows * $1.rowByteCount) }
    var done: UInt64 = 0
    for matrix in plan.matrices {
      if progress(done, total) {
        throw EngineError(.cancelled, "loading was stopped by the progress callback")
      }
      try pack(matrix, into: base + matrix.offset)
      done += UInt64(matrix.rows * matrix.rowByteCount)
    }
    _ = progress(total, total)
  }

  private func load(
    _ vector: PlannedVector, into base: UnsafeMutableRawPointer
  ) throws(EngineError) {
    let size = vector.count * vector.format.fileBlockByteCount
    let bytes = try Memory(byteCount: size, for: "reading '\(vector.tensor.name)'")
    try file.read(
      into: UnsafeMutableRawBufferPointer(start: bytes.base, count: size),
      part: vector.tensor.part, at: vector.tensor.offset)
    let out = (base + vector.offset).assumingMemoryBound(to: Float.self)
    for i in 0..<vector.count {
      out[i] = vector.format.plainValue(bytes.base, i)
    }
  }

  private func pack(
    _ matrix: PlannedMatrix, into panels: UnsafeMutableRawPointer
  ) throws(EngineError) {
    current = matrix
    target = panels
    panelsPerUnit = max(1, Self.bufferByteCount / max(1, matrix.rowByteCount * panelRows))
    let units = (matrix.panelCount + panelsPerUnit - 1) / panelsPerUnit
    workers.run(units, Unmanaged.passUnretained(self).toOpaque()) { context, unit, worker in
      let loader = Unmanaged<WeightLoader>.fromOpaque(context).takeUnretainedValue()
      loader.packUnit(unit, worker)
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
  }

  private func packUnit(_ unit: Int, _ worker: Int) {
    guard !failed.load(ordering: .relaxed), let matrix = current, let target else { return }
    let buffer = buffers[worker].base
    let first = unit * panelsPerUnit
    let last = min(first + panelsPerUnit, matrix.panelCount)
    let rows = min(last * panelRows, matrix.rows) - first * panelRows
    let start = first * panelRows * matrix.rowByteCount
    do throws(EngineError) {
      try file.read(
        into: UnsafeMutableRawBufferPointer(start: buffer, count: rows * matrix.rowByteCount),
        part: matrix.tensor.part, at: matrix.fileOffset + UInt64(start))
    } catch {
      failed.store(true, ordering: .relaxed)
      failure.withLock { if $0 == nil { $0 = error } }
      return
    }
    for panel in first..<last {
      let row = (panel - first) * panelRows
      matrix.format.pack(
        rows: buffer + row * matrix.rowByteCount, rowStride: matrix.rowByteCount,
        rowCount: min(panelRows, rows - row), blocks: matrix.blocks,
        into: target + panel * matrix.panelStride)
    }
  }
}
