// Loading: every matrix of the plan is read with `pread` through small buffers, packed by all
// threads, and is then in memory once. The file is not touched again, unless it is a packed one
// that the host asked to map: then the panels are where they are.
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
  private let mappings: [FileMapping]
  /// The file of the mappings.
  private let mapped: GGUFFile?
  private let experts: UnsafeMutablePointer<Matrix>
  private let layerCount: Int
  /// All matrices and vectors, in the order of the plan.
  let parts: [UnsafeRawBufferPointer]

  /// Reads and packs all weights of `plan`.
  ///
  /// `progress` is called on this thread with bytes packed and in all; true stops with
  /// `.cancelled`.
  init(
    _ plan: WeightPlan, file: GGUFFile, table: KernelTable, workers: Workers,
    from host: HostMemory?, progress: (UInt64, UInt64) -> Bool
  ) throws(EngineError) {
    let memory = try Memory(byteCount: plan.byteCount, for: "the packed weights", from: host)
    try WeightLoader(file: file, workers: workers, host: host).load(
      plan, into: memory.base, progress)
    try file.checkUnchanged()
    var mappings: [Int: FileMapping] = [:]
    for matrix in plan.matrices where plan.isMapped(matrix) && mappings[matrix.tensor.part] == nil {
      mappings[matrix.tensor.part] = try file.map(part: matrix.tensor.part)
    }

    /// Where the panels of a matrix are. (A mapping's base for a part is always there.)
    func panels(_ planned: PlannedMatrix) -> UnsafeRawPointer {
      guard plan.isMapped(planned), let mapping = mappings[planned.tensor.part] else {
        return UnsafeRawPointer(memory.base + planned.offset)
      }
      return UnsafeRawPointer(mapping.base + Int(planned.fileOffset))
    }
    func matrix(_ index: Int) -> Matrix {
      let planned = plan.matrices[index]
      return Matrix(
        rows: planned.rows, columns: planned.columns, blocks: planned.blocks,
        panelStride: planned.panelStride, form: planned.format.activationForm,
        panels: panels(planned), product: table.product(planned.format.panelType))
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
    parts =
      plan.matrices.map {
        UnsafeRawBufferPointer(start: panels($0), count: $0.panelCount * $0.panelStride)
      }
      + plan.vectors.indices.map {
        UnsafeRawBufferPointer(start: vector($0), count: plan.vectors[$0].count * 4)
      }
    self.memory = memory
    self.mappings = Array(mappings.values)
    mapped = mappings.isEmpty ? nil : file
    self.experts = experts
  }

  deinit {
    layers.deallocate()
    experts.deallocate()
  }

  /// Throws `.changed` when a mapped file is no longer what was opened, or was not when it was
  /// read.
  func checkUnchanged() throws(EngineError) {
    try mapped?.checkUnchanged()
    if let damage { throw damage }
  }

  /// Whether some of a mapped file was not there when it was read: nothing that was computed since
  /// may be used.
  var isDamaged: Bool { mapped != nil && mappings.contains(where: \.isDamaged) }

  /// Why, when they are.
  var damage: EngineError? {
    isDamaged ? mappings.first(where: \.isDamaged)?.damage : nil
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
  private let host: HostMemory?
  /// A reading buffer a thread.
  private var buffers: [Memory] = []
  private var current: PlannedMatrix?
  private var target: UnsafeMutableRawPointer?
  private var panelsPerUnit = 1
  private let failed = Atomic<Bool>(false)
  private let failure = Mutex<EngineError?>(nil)

  /// Bytes a thread reads at once, when a panel is not larger: what the system copies there is
  /// still in the second-level cache when it is packed.
  private static let bufferByteCount = 1 << 18

  init(file: GGUFFile, workers: Workers, host: HostMemory?) {
    self.file = file
    self.workers = workers
    self.host = host
  }

  func load(
    _ plan: WeightPlan, into base: UnsafeMutableRawPointer, _ progress: (UInt64, UInt64) -> Bool
  ) throws(EngineError) {
    let largestPanel =
      plan.matrices.map { $0.isPacked ? 0 : $0.rowByteCount * panelRows }.max() ?? 0
    let matrices = plan.matrices.filter { !plan.isMapped($0) }
    for _ in 0..<workers.count {
      buffers.append(
        try Memory(
          byteCount: max(largestPanel, Self.bufferByteCount), for: "reading the weights",
          from: host))
    }
    for vector in plan.vectors { try load(vector, into: base) }
    let total = matrices.reduce(UInt64(0)) { $0 + UInt64($1.fileByteCount) }
    var done: UInt64 = 0
    for matrix in matrices {
      if progress(done, total) {
        throw EngineError(.cancelled, "loading was stopped by the progress callback")
      }
      try pack(matrix, into: base + matrix.offset)
      done += UInt64(matrix.fileByteCount)
    }
    _ = progress(total, total)
  }

  private func load(
    _ vector: PlannedVector, into base: UnsafeMutableRawPointer
  ) throws(EngineError) {
    let size = vector.count * vector.format.fileBlockByteCount
    let bytes = try Memory(byteCount: size, for: "reading '\(vector.tensor.name)'", from: host)
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
    let panelByteCount = matrix.isPacked ? matrix.panelStride : matrix.rowByteCount * panelRows
    panelsPerUnit = max(1, Self.bufferByteCount / max(1, panelByteCount))
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
    if matrix.isPacked {
      _ = read(
        matrix, first * matrix.panelStride..<last * matrix.panelStride,
        into: target + first * matrix.panelStride)
      return
    }
    let rows = min(last * panelRows, matrix.rows) - first * panelRows
    let start = first * panelRows * matrix.rowByteCount
    let size = rows * matrix.rowByteCount
    guard read(matrix, start..<start + size, into: buffer) else { return }
    for panel in first..<last {
      let row = (panel - first) * panelRows
      matrix.format.pack(
        rows: buffer + row * matrix.rowByteCount, rowStride: matrix.rowByteCount,
        rowCount: min(panelRows, rows - row), blocks: matrix.blocks,
        into: target + panel * matrix.panelStride)
    }
  }

  /// Reads some bytes of a matrix; false, with the reason kept, when the system does not give them.
  private func read(
    _ matrix: PlannedMatrix, _ range: Range<Int>, into buffer: UnsafeMutableRawPointer
  ) -> Bool {
    do throws(EngineError) {
      try file.read(
        into: UnsafeMutableRawBufferPointer(start: buffer, count: range.count),
        part: matrix.tensor.part, at: matrix.fileOffset + UInt64(range.lowerBound))
      return true
    } catch {
      failed.store(true, ordering: .relaxed)
      failure.withLock { if $0 == nil { $0 = error } }
      return false
    }
  }
}
