// Loading: every matrix of the plan is read with `pread` through small buffers, packed by all
// threads, and is then in memory once. The file is not touched again, unless it is a packed one
// that the host asked to map: then the panels are where they are. No size overflows, for the
// bounds that PlannedMatrix says.
import Base
import Formats
import Forward
import Kernels
import Quantization
import Workers

/// The weights of a model, packed.
package final class Weights: @unchecked Sendable {
  let layers: UnsafeMutablePointer<Layer>
  let embedding: Matrix
  private let embeddingReader: RowReader
  let output: Matrix
  let outputNorm: UnsafePointer<Float>
  let ropeFactors: UnsafeBufferPointer<Float>?
  let byteCount: Int

  private let memory: Memory
  /// A part; nil for those without mapped matrices.
  private let mappings: [FileMapping?]
  /// The file of the mappings.
  private let mapped: GGUFFile?
  /// Of all matrices, to which layers point for their experts, and of the layers.
  private let lists: [Memory]
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
    memory = try Memory(byteCount: plan.byteCount, for: "the packed weights", from: host)
    let matrixList = try Memory(
      byteCount: plan.matrices.count &* MemoryLayout<Matrix>.stride, for: "the list of matrices",
      from: nil)
    let layerList = try Memory(
      byteCount: plan.layers.count &* MemoryLayout<Layer>.stride, for: "the list of layers",
      from: nil)
    lists = [matrixList, layerList]
    try WeightLoader(file: file, workers: workers, host: host).load(
      plan, into: memory.base, progress)
    try file.checkUnchanged()
    mappings = try Self.mappings(of: file, plan)
    mapped = mappings.isEmpty ? nil : file
    let places = Places(plan: plan, base: memory.base, mappings: mappings, table: table)
    var parts = Growable<UnsafeRawBufferPointer>()

    let matrices = matrixList.base.assumingMemoryBound(to: Matrix.self)
    var index = 0
    while index < plan.matrices.count {
      let matrix = try places.matrix(index)
      (matrices + index).initialize(to: matrix)
      let byteCount = matrix.panelCount &* matrix.panelStride
      try parts.append(UnsafeRawBufferPointer(start: matrix.panels, count: byteCount))
      index &+= 1
    }
    index = 0
    while index < plan.vectors.count {
      let values = try places.values(index)
      try parts.append(
        UnsafeRawBufferPointer(start: values.baseAddress, count: values.count &* 4))
      index &+= 1
    }
    layers = layerList.base.assumingMemoryBound(to: Layer.self)
    index = 0
    while index < plan.layers.count {
      (layers + index).initialize(to: try places.layer(index, matrices))
      index &+= 1
    }
    embedding = try places.matrix(plan.embedding)
    embeddingReader = RowReader(try plan.matrices.at(plan.embedding).format, table)
    output = try places.matrix(plan.output)
    outputNorm = UnsafePointer(try places.vector(plan.outputNorm))
    ropeFactors = try plan.ropeFactors.map(places.values)
    byteCount = plan.byteCount
    self.parts = try parts.array()
  }

  /// Maps the parts that have matrices which stay there; empty when there are none.
  private static func mappings(
    of file: GGUFFile, _ plan: WeightPlan
  ) throws(EngineError) -> [FileMapping?] {
    guard plan.matrices.contains(where: plan.isMapped) else { return [] }
    var needed = try Growable(filled: false, count: file.partCount)
    for matrix in plan.matrices where plan.isMapped(matrix) {
      try needed.put(true, at: matrix.tensor.part)
    }
    var mappings: [FileMapping?] = []
    while mappings.count < needed.count {
      let part = mappings.count
      mappings.append(try needed.at(part) ? try file.map(part: part) : nil)
    }
    return mappings
  }

  /// Throws `.changed` when a mapped file is no longer what was opened.
  func checkUnchanged() throws(EngineError) {
    if let change { throw change }
  }

  /// Whether some of a mapped file was not there when it was read: nothing that was computed since
  /// may be used.
  var isDamaged: Bool { damaged != nil }

  /// Why nothing that was computed since the last look may be used; nil when it may.
  ///
  /// A mapped file was cut or written to.
  var change: EngineError? {
    if let damaged { return damaged.damage }
    guard let mapped else { return nil }
    do throws(EngineError) {
      try mapped.checkUnchanged()
      return nil
    } catch {
      return error
    }
  }

  private var damaged: FileMapping? {
    mappings.withUnsafeBufferPointer { mappings in
      for case let mapping? in mappings where mapping.isDamaged { return mapping }
      return nil
    }
  }

  /// What the forward pass reads.
  var forPass: LayerWeights {
    LayerWeights(
      layers: layers, output: output, outputNorm: outputNorm, ropeFactors: ropeFactors,
      embed: { [embedding, embeddingReader] token, out, workspace in
        embeddingReader.read(
          panel: embedding.panels + (token &>> 4) &* embedding.panelStride, lane: token & 15,
          blocks: embedding.blocks, into: out, workspace: workspace)
      })
  }
}

/// Where the matrices and vectors of a plan are in memory.
private struct Places {
  let plan: WeightPlan
  /// What was read.
  let base: UnsafeMutableRawPointer
  let mappings: [FileMapping?]
  let table: KernelTable

  func matrix(_ index: Int, interleaves: Bool = true) throws(EngineError) -> Matrix {
    let planned = try plan.matrices.at(index)
    return Matrix(
      rows: planned.rows, columns: planned.columns, blocks: planned.blocks,
      panelStride: planned.panelStride, form: planned.format.activationForm,
      panels: try panels(planned), type: planned.format.panelType, table: table,
      interleaves: interleaves)
  }

  /// Where the panels of a matrix are. (A mapping's base for a part is always there.)
  private func panels(_ planned: PlannedMatrix) throws(EngineError) -> UnsafeRawPointer {
    guard plan.isMapped(planned), let mapping = try mappings.at(planned.tensor.part) else {
      return UnsafeRawPointer(base + planned.offset)
    }
    return UnsafeRawPointer(mapping.base + Int(clamping: planned.fileOffset))
  }

  func vector(_ index: Int) throws(EngineError) -> UnsafeMutablePointer<Float> {
    (base + (try plan.vectors.at(index).offset)).assumingMemoryBound(to: Float.self)
  }

  func values(_ index: Int) throws(EngineError) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: try vector(index), count: try plan.vectors.at(index).count)
  }

  /// `matrices` are all of the plan.
  func layer(
    _ index: Int, _ matrices: UnsafeMutablePointer<Matrix>
  ) throws(EngineError) -> Layer {
    let layer = try plan.layers.at(index)
    return Layer(
      attentionNorm: try vector(layer.attentionNorm), query: try matrix(layer.query),
      key: try matrix(layer.key), value: try matrix(layer.value),
      output: try matrix(layer.output), feedForwardNorm: try vector(layer.feedForwardNorm),
      router: try layer.router.map { (router) throws(EngineError) in
        try matrix(router, interleaves: false)
      },
      gate: matrices + layer.gate, up: matrices + layer.up, down: matrices + layer.down,
      attentionForms: try plan.attentionForms(layer), gateForms: try plan.gateForms(layer),
      downForms: try plan.downForms(layer))
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
  private let failure = FirstError()

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
    var largestPanel = 0
    var total: UInt64 = 0
    for matrix in plan.matrices where !plan.isMapped(matrix) {
      if !matrix.isPacked { largestPanel = max(largestPanel, matrix.rowByteCount &* panelRows) }
      total &+= UInt64(clamping: matrix.fileByteCount)
    }
    while buffers.count < workers.count {
      buffers.append(
        try Memory(
          byteCount: max(largestPanel, Self.bufferByteCount), for: "reading the weights",
          from: host))
    }
    for vector in plan.vectors { try load(vector, into: base) }
    var done: UInt64 = 0
    for matrix in plan.matrices where !plan.isMapped(matrix) {
      if progress(done, total) {
        throw EngineError(.cancelled, "loading was stopped by the progress callback")
      }
      try pack(matrix, into: base + matrix.offset)
      done &+= UInt64(clamping: matrix.fileByteCount)
    }
    _ = progress(total, total)
  }

  private func load(
    _ vector: PlannedVector, into base: UnsafeMutableRawPointer
  ) throws(EngineError) {
    let size = vector.count &* vector.format.fileBlockByteCount
    let bytes = try Memory(byteCount: size, for: "reading '\(vector.tensor.name)'", from: host)
    try file.read(
      into: UnsafeMutableRawBufferPointer(start: bytes.base, count: size),
      part: vector.tensor.part, at: vector.tensor.offset)
    let out = (base + vector.offset).assumingMemoryBound(to: Float.self)
    var i = 0
    while i < vector.count {
      out[i] = try vector.format.plainValue(bytes.base, i)
      i &+= 1
    }
  }

  private func pack(
    _ matrix: PlannedMatrix, into panels: UnsafeMutableRawPointer
  ) throws(EngineError) {
    current = matrix
    target = panels
    let panelByteCount = matrix.isPacked ? matrix.panelStride : matrix.rowByteCount &* panelRows
    let panelsPerUnit = max(1, Self.bufferByteCount / max(1, panelByteCount))
    self.panelsPerUnit = panelsPerUnit
    let units = (matrix.panelCount &+ panelsPerUnit &- 1) / panelsPerUnit
    workers.run(units, Unmanaged.passUnretained(self).toOpaque()) { context, unit, worker in
      let loader = Unmanaged<WeightLoader>.fromOpaque(context).takeUnretainedValue()
      loader.packUnit(unit, worker)
    }
    try failure.check()
  }

  /// Packs one unit of the current matrix.
  private func packUnit(_ unit: Int, _ worker: Int) {
    guard let matrix = current, let target else { return }
    failure.attempt { () throws(EngineError) in
      try pack(unit, of: matrix, into: target, by: try buffers.at(worker).base)
    }
  }

  private func pack(
    _ unit: Int, of matrix: PlannedMatrix, into target: UnsafeMutableRawPointer,
    by buffer: UnsafeMutableRawPointer
  ) throws(EngineError) {
    let first = unit &* panelsPerUnit
    let last = min(first &+ panelsPerUnit, matrix.panelCount)
    if matrix.isPacked {
      let start = first &* matrix.panelStride
      return try read(matrix, start, (last &- first) &* matrix.panelStride, into: target + start)
    }
    let rows = min(last &* panelRows, matrix.rows) &- first &* panelRows
    try read(
      matrix, first &* panelRows &* matrix.rowByteCount, rows &* matrix.rowByteCount, into: buffer)
    var panel = first
    while panel < last {
      let row = (panel &- first) &* panelRows
      try matrix.format.pack(
        rows: buffer + row &* matrix.rowByteCount, rowStride: matrix.rowByteCount,
        rowCount: min(panelRows, rows &- row), blocks: matrix.blocks,
        into: target + panel &* matrix.panelStride)
      panel &+= 1
    }
  }

  /// Reads `byteCount` bytes of a matrix from its byte `start` on.
  private func read(
    _ matrix: PlannedMatrix, _ start: Int, _ byteCount: Int,
    into buffer: UnsafeMutableRawPointer
  ) throws(EngineError) {
    try file.read(
      into: UnsafeMutableRawBufferPointer(start: buffer, count: byteCount),
      part: matrix.tensor.part, at: matrix.fileOffset &+ UInt64(clamping: start))
  }
}
