// Loading: every matrix of the plan is packed on its way from the file (TensorStream) and is then
// in memory once. The file is not touched again, unless it is a packed one that the host asked to
// map: then the panels are where they are. No size overflows, for the bounds that PlannedMatrix
// says.
import Base
import Formats
import Forward
import Kernels
import Quantization
import Workers

/// The weights of a model, packed.
package struct Weights: @unchecked Sendable {
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
  private let mapped: Checkpoint?
  /// Of all matrices, to which layers point for their experts, and of the layers.
  private let lists: [Memory]
  /// All matrices and vectors, in the order of the plan.
  let parts: [UnsafeRawBufferPointer]
  /// The places of the matrices that have a bias.
  let biased: Growable<Int>

  /// Reads and packs all weights of `plan`.
  ///
  /// `progress` is called on this thread with bytes packed and in all; true stops with
  /// `.cancelled`.
  init(
    _ plan: WeightPlan, of checkpoint: Checkpoint, table: KernelTable, workers: Workers,
    from host: HostMemory?, progress: (UInt64, UInt64) -> Bool
  ) throws(EngineError) {
    memory = try Memory.allocated(byteCount: plan.byteCount, for: "the packed weights", from: host)
    let matrixList = try Memory.allocated(
      byteCount: plan.matrices.count &* MemoryLayout<Matrix>.stride, for: "the list of matrices",
      from: nil)
    let layerList = try Memory.allocated(
      byteCount: plan.layers.count &* MemoryLayout<Layer>.stride, for: "the list of layers",
      from: nil)
    lists = [matrixList, layerList]
    let stream = TensorStream(from: checkpoint, workers: workers, host: host, for: "loading")
    try Self.load(plan, by: stream, into: memory.base, progress)
    try checkpoint.checkUnchanged()
    mappings = try Self.mappings(of: checkpoint, plan)
    mapped = mappings.isEmpty ? nil : checkpoint
    let places = Places(plan: plan, base: memory.base, mappings: mappings, table: table)
    var parts = Growable<UnsafeRawBufferPointer>()
    var biased = Growable<Int>()

    let matrices = matrixList.base.assumingMemoryBound(to: Matrix.self)
    for index in below(plan.matrices.count) {
      let matrix = try places.matrix(index)
      if try plan.matrices.at(index).bias != nil { try biased.append(index) }
      (matrices + index).initialize(to: matrix)
      let byteCount = matrix.panelCount &* matrix.panelStride
      try parts.append(UnsafeRawBufferPointer(start: matrix.panels, count: byteCount))
    }
    for index in below(plan.vectors.count) {
      let values = try places.values(index)
      try parts.append(
        UnsafeRawBufferPointer(start: values.baseAddress, count: values.count &* 4))
    }
    layers = layerList.base.assumingMemoryBound(to: Layer.self)
    try Self.place(plan, places, matrices, into: layers)
    embedding = try places.matrix(plan.embedding)
    embeddingReader = RowReader(try plan.matrices.at(plan.embedding).format, table)
    output = try places.matrix(plan.output)
    outputNorm = UnsafePointer(try places.vector(plan.outputNorm))
    ropeFactors = try plan.ropeFactors.map(places.values)
    byteCount = plan.byteCount
    self.parts = try parts.array()
    self.biased = biased
  }

  /// Makes the layers; a function of its own, as a layer is large for a stack.
  @inline(never)
  private static func place(
    _ plan: WeightPlan, _ places: Places, _ matrices: UnsafeMutablePointer<Matrix>,
    into layers: UnsafeMutablePointer<Layer>
  ) throws(EngineError) {
    for index in below(plan.layers.count) {
      (layers + index).initialize(to: try places.layer(index, matrices))
    }
  }

  /// Brings vectors and matrices into the weights' memory, each to its place in the plan.
  private static func load(
    _ plan: WeightPlan, by stream: TensorStream, into base: UnsafeMutableRawPointer,
    _ progress: (UInt64, UInt64) -> Bool
  ) throws(EngineError) {
    try stream.run(plan.vectors.count) { (index) throws(EngineError) in
      let vector = try plan.vectors.at(index)
      return vector.streamedAsFloats(to: base + vector.offset)
    }
    try stream.run(plan.matrices.count, progress: progress) { (index) throws(EngineError) in
      let matrix = try plan.matrices.at(index)
      return plan.isMapped(matrix) ? nil : matrix.streamed(to: .memory(base + matrix.offset))
    }
  }

  /// Maps the parts that have matrices which stay there; empty when there are none.
  @inline(never)
  private static func mappings(
    of file: Checkpoint, _ plan: WeightPlan
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

  /// The weights as the forward pass reads them.
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
  /// The memory that the weights were read into.
  let base: UnsafeMutableRawPointer
  let mappings: [FileMapping?]
  let table: KernelTable

  @inline(never)
  func matrix(_ index: Int, interleaves: Bool = true) throws(EngineError) -> Matrix {
    let planned = try plan.matrices.at(index)
    return Matrix(
      rows: planned.rows, columns: planned.columns, blocks: planned.blocks,
      panelStride: planned.panelStride, form: planned.format.activationForm,
      panels: try panels(planned), type: planned.format.panelType, table: table,
      interleaves: interleaves, bias: try planned.bias.map(vector).map { UnsafePointer($0) })
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
  @inline(never)
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

extension PlannedMatrix {
  /// Its rows on their way into panels; its panels, if the file has those.
  package func streamed(to target: TensorStream.Target) -> TensorStream.Tensor {
    if isPacked {
      return TensorStream.Tensor(
        part: tensor.part, offset: fileOffset, rows: panelCount, rowByteCount: panelStride,
        target: target)
    }
    var streamed = TensorStream.Tensor(
      part: tensor.part, offset: fileOffset, rows: rows, rowByteCount: rowByteCount,
      target: target)
    streamed.rowsInPiece = panelRows
    streamed.pieceByteCount = panelStride
    let (format, blocks, rowStride) = (format, blocks, rowByteCount)
    streamed.change = { (rows, count, panel) throws(EngineError) in
      try format.pack(
        rows: rows, rowStride: rowStride, rowCount: count, blocks: blocks, into: panel)
    }
    return streamed
  }
}

extension PlannedVector {
  /// Its values on their way to floats.
  fileprivate func streamedAsFloats(
    to memory: UnsafeMutableRawPointer
  ) -> TensorStream.Tensor {
    var streamed = streamed(to: .memory(memory))
    streamed.pieceByteCount = count &* 4
    let (format, count) = (format, count)
    streamed.change = { (values, _, out) throws(EngineError) in
      let out = out.assumingMemoryBound(to: Float.self)
      for i in below(count) { out[i] = try format.plainValue(values, i) }
    }
    return streamed
  }

  /// Its values as they are.
  package func streamed(to target: TensorStream.Target) -> TensorStream.Tensor {
    TensorStream.Tensor(
      part: tensor.part, offset: tensor.offset, rows: 1, rowByteCount: tensor.byteCount,
      target: target)
  }
}
