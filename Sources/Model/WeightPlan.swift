// Which tensors of a checkpoint a model needs, with which shapes: the plan that loading follows.
// Nothing is allocated for weights before the whole plan stands.
import Base
import Formats
import Forward
import Kernels
import Quantization

/// A matrix that is to be packed: a tensor, or one expert's slice of a merged tensor.
///
/// Rows and columns are at most 2^20 (`Hyperparameters` and, for the vocabulary, `WeightPlan`), and
/// a plan has fewer than 2^20 matrices: a panel is at most 2^26 bytes, a matrix 2^42, all of them
/// 2^62. Its bytes in the file lie inside it (Formats). So no product or sum here, nor of those who
/// follow the plan, overflows.
package struct PlannedMatrix {
  let name: String
  package let tensor: StoredTensor
  package let format: PanelFormat
  let rows: Int
  let columns: Int
  /// Where its first row, or panel, lies in the file of its part.
  private(set) var fileOffset: UInt64
  /// Where its panels go in the weights' memory, if they do.
  var offset = 0
  /// The place of the vector that is added to its outputs.
  var bias: Int?

  init(
    name: String, tensor: StoredTensor, format: PanelFormat, rows: Int, columns: Int, index: Int = 0
  ) {
    self.name = name
    self.tensor = tensor
    self.format = format
    self.rows = rows
    self.columns = columns
    fileOffset = tensor.offset
    // The tensor's byte count is that of all its matrices, and fits.
    fileOffset &+= UInt64(clamping: index &* fileByteCount)
  }

  /// Whether the file has its panels and not its rows.
  var isPacked: Bool { tensor.type.isPacked }
  /// Bytes of a row in a file that is not packed.
  var rowByteCount: Int { blocks &* format.fileBlockByteCount }
  package var panelByteCount: Int { panelCount &* panelStride }
  var fileByteCount: Int { isPacked ? panelByteCount : rows &* rowByteCount }

  var blocks: Int { columns / max(1, format.columns) }
  var panelCount: Int { (rows &+ 15) / 16 }
  var panelStride: Int { blocks &* format.panelBlockByteCount }
}

/// A vector of norm weights.
package struct PlannedVector {
  package let tensor: StoredTensor
  let format: PanelFormat
  let count: Int
  var offset = 0
}

/// Places in the plan's lists, a layer.
struct PlannedLayer {
  var attentionNorm = 0
  var query = 0
  var key = 0
  var value = 0
  var output = 0
  var feedForwardNorm = 0
  var router: Int?
  /// First of `experts` (or one) places each.
  var gate = 0
  var up = 0
  var down = 0
}

/// Finds and checks every tensor of a model.
package struct WeightPlan {
  package private(set) var matrices: [PlannedMatrix] = []
  package private(set) var vectors: [PlannedVector] = []
  private(set) var layers: [PlannedLayer] = []
  private(set) var embedding = 0
  private(set) var output = 0
  private(set) var outputNorm = 0
  private(set) var ropeFactors: Int?
  /// Bytes of all packed weights.
  private(set) var byteCount = 0
  /// Of each tensor of the files, whether the model uses it.
  private(set) var uses: Growable<Bool>
  private(set) var usedTensors = 0

  let mapsPacked: Bool
  private let checkpoint: Checkpoint
  private let shape: Hyperparameters
  let vocabulary: Int

  var tiedEmbeddings: Bool { embedding == output }

  /// Feed-forward matrices a role has in a layer.
  var expertCount: Int { max(1, shape.experts) }

  /// The forms of activations that query, key and value of a layer read; below, those of its gates
  /// and ups, and of its downs.
  func attentionForms(_ layer: PlannedLayer) throws(EngineError) -> FormSet {
    try forms(layer.query, 1).union(forms(layer.key, 1)).union(forms(layer.value, 1))
  }

  func gateForms(_ layer: PlannedLayer) throws(EngineError) -> FormSet {
    try forms(layer.gate, expertCount).union(forms(layer.up, expertCount))
  }

  func downForms(_ layer: PlannedLayer) throws(EngineError) -> FormSet {
    try forms(layer.down, expertCount)
  }

  /// The forms that products of several rows read: all but those of routers, which meet each row
  /// alone.
  func productForms() throws(EngineError) -> FormSet {
    var all = try forms(output, 1)
    var index = 0
    while index < layers.count {
      let layer = try layers.at(index)
      all.formUnion(try attentionForms(layer).union(forms(layer.output, 1)))
      all.formUnion(try gateForms(layer).union(downForms(layer)))
      index &+= 1
    }
    return all
  }

  private func forms(_ first: Int, _ count: Int) throws(EngineError) -> FormSet {
    var forms: FormSet = []
    var index = first
    while index < first &+ count {
      forms.formUnion(FormSet(try matrices.at(index).format.activationForm))
      index &+= 1
    }
    return forms
  }

  /// With `mapsPacked`, matrices that the files have in panels need no memory.
  @export(interface)
  package init(
    _ checkpoint: Checkpoint, _ shape: Hyperparameters, mapsPacked: Bool
  ) throws(EngineError) {
    self.checkpoint = checkpoint
    self.shape = shape
    self.mapsPacked = mapsPacked
    uses = try Growable(filled: false, count: checkpoint.tensors.count)
    let embeddings = try Self.needed(.tokenEmbedding, of: checkpoint)
    guard embeddings.dimensions.count == 2, embeddings.dimensions[1] <= 1_048_576 else {
      throw EngineError(
        .malformed,
        "tensor '\(embeddings.name)' is \(Formats.shape(embeddings.dimensions)); "
          + "expected \(shape.hiddenWidth) x vocabulary (at most 1048576)")
    }
    vocabulary = embeddings.dimensions[1]
    embedding = try matrix(.tokenEmbedding, rows: vocabulary, columns: shape.hiddenWidth)
    outputNorm = try vector(.outputNorm, count: shape.hiddenWidth)
    output =
      checkpoint.tensor(.output) == nil
      ? embedding : try matrix(.output, rows: vocabulary, columns: shape.hiddenWidth)
    if checkpoint.tensor(.ropeFactors) != nil {
      ropeFactors = try vector(.ropeFactors, count: shape.ropeWidth / 2)
    }
    while layers.count < shape.layers { layers.append(try layer(layers.count)) }
    try checkUnused()
    try checkQuantizationVersion()
    try place()
  }

  /// The plan of what the files say, nothing mapped.
  @export(interface)
  package init(_ checkpoint: Checkpoint) throws(EngineError) {
    let shape = try Hyperparameters(checkpoint, slidingWindow: 0, expertsPerToken: 0)
    self = try WeightPlan(checkpoint, shape, mapsPacked: false)
  }

  private mutating func layer(_ index: Int) throws(EngineError) -> PlannedLayer {
    let hidden = shape.hiddenWidth
    let queryWidth = shape.heads &* shape.headWidth
    let kvWidth = shape.kvHeads &* shape.headWidth
    var layer = PlannedLayer()
    layer.attentionNorm = try vector(.layer(index, .attentionNorm), count: hidden)
    layer.query = try biased(index, .query, rows: queryWidth, columns: hidden)
    layer.key = try biased(index, .key, rows: kvWidth, columns: hidden)
    layer.value = try biased(index, .value, rows: kvWidth, columns: hidden)
    layer.output = try biased(index, .attentionOutput, rows: hidden, columns: queryWidth)
    layer.feedForwardNorm = try vector(.layer(index, .feedForwardNorm), count: hidden)
    let width = shape.feedForwardWidth
    if shape.experts == 0 {
      layer.gate = try biased(index, .gate, rows: width, columns: hidden)
      layer.up = try biased(index, .up, rows: width, columns: hidden)
      layer.down = try biased(index, .down, rows: hidden, columns: width)
    } else {
      layer.router = try matrix(.layer(index, .router), rows: shape.experts, columns: hidden)
      layer.gate = try experts(index, .gate, rows: width, columns: hidden)
      layer.up = try experts(index, .up, rows: width, columns: hidden)
      layer.down = try experts(index, .down, rows: hidden, columns: width)
    }
    return layer
  }

  /// All experts of one role: one tensor of all, or one an expert (in GGUF before April 2024).
  private mutating func experts(
    _ layer: Int, _ role: LayerTensor, rows: Int, columns: Int
  ) throws(EngineError) -> Int {
    let first = matrices.count
    let merged = TensorRole.experts(layer, role)
    let mergedName = checkpoint.name(merged)
    guard checkpoint.tensor(merged) != nil else {
      for expert in below(shape.experts) {
        let single = TensorRole.expert(layer, role, expert: expert)
        guard checkpoint.tensor(single) != nil else {
          throw EngineError(
            .malformed,
            "tensor '\(checkpoint.name(single))' is missing, and so is '\(mergedName)'")
        }
        _ = try matrix(single, rows: rows, columns: columns)
      }
      return first
    }
    for expert in below(shape.experts) {
      if let single = checkpoint.tensor(.expert(layer, role, expert: expert)) {
        throw EngineError(
          .malformed, "tensors '\(mergedName)' and '\(single.name)' are both there")
      }
    }
    let tensor = try needed(merged, [columns, rows, shape.experts])
    let format = try format(of: tensor)
    for expert in below(shape.experts) {
      matrices.append(
        PlannedMatrix(
          name: "\(mergedName)[\(expert)]", tensor: tensor, format: format, rows: rows,
          columns: columns, index: expert))
    }
    return first
  }

  /// A matrix of a layer, and what is added to its outputs, if the files have that.
  private mutating func biased(
    _ layer: Int, _ role: LayerTensor, rows: Int, columns: Int
  ) throws(EngineError) -> Int {
    let place = try matrix(.layer(layer, role), rows: rows, columns: columns)
    let bias = TensorRole.bias(layer, role)
    guard checkpoint.tensor(bias) != nil else { return place }
    let vector = try vector(bias, count: rows)
    matrices.withUnsafeMutableBufferPointer { matrices in
      if place < matrices.count { matrices[place].bias = vector }
    }
    return place
  }

  private mutating func matrix(
    _ role: TensorRole, rows: Int, columns: Int
  ) throws(EngineError) -> Int {
    let tensor = try needed(role, [columns, rows])
    let format = try format(of: tensor)
    matrices.append(
      PlannedMatrix(
        name: tensor.name, tensor: tensor, format: format, rows: rows, columns: columns))
    return matrices.count &- 1
  }

  private mutating func vector(_ role: TensorRole, count: Int) throws(EngineError) -> Int {
    let tensor = try needed(role, [count])
    let format = try format(of: tensor)
    guard format.activationForm == .float, !tensor.type.isPacked else {
      throw EngineError(
        .unsupported,
        "tensor '\(tensor.name)' is \(tensor.type.name); supported for a vector: F32, F16, BF16")
    }
    vectors.append(PlannedVector(tensor: tensor, format: format, count: count))
    return vectors.count &- 1
  }

  /// A tensor by its role.
  private static func needed(
    _ role: TensorRole, of checkpoint: Checkpoint
  ) throws(EngineError) -> StoredTensor {
    guard let tensor = checkpoint.tensor(role) else {
      throw EngineError(.malformed, "tensor '\(checkpoint.name(role))' is missing")
    }
    return tensor
  }

  /// A tensor by its role, of exactly these dimensions (trailing ones may be left out).
  private mutating func needed(
    _ role: TensorRole, _ dimensions: [Int]
  ) throws(EngineError) -> StoredTensor {
    let tensor = try Self.needed(role, of: checkpoint)
    guard Self.isEqual(tensor.dimensions, dimensions) else {
      throw EngineError(
        .malformed,
        "tensor '\(tensor.name)' is \(Formats.shape(tensor.dimensions)); "
          + "expected \(Formats.shape(dimensions))")
    }
    if let index = checkpoint.index(role), try !uses.at(index) {
      try uses.put(true, at: index)
      usedTensors &+= 1
    }
    return tensor
  }

  /// Throws `.unsupported` for a tensor that the model would be computed without.
  private func checkUnused() throws(EngineError) {
    for index in below(checkpoint.tensors.count) {
      let tensor = try checkpoint.tensors.at(index)
      guard try uses.at(index) || checkpoint.isBeside(tensor) else {
        throw EngineError(
          .unsupported,
          "tensor \(quoted(tensor.name)) is none of architecture 'llama' with \(shape.layers) "
            + "layers; without it the model would compute something else")
      }
    }
  }

  /// Throws `.unsupported` for blocks of a version to come; plain values have none.
  private func checkQuantizationVersion() throws(EngineError) {
    guard matrices.contains(where: { $0.format.activationForm != .float }) else { return }
    let said = checkpoint.said(.quantizationVersion)
    if let version = try said.unsigned(in: 0...UInt64(UInt32.max)), version > 2 {
      throw EngineError(.unsupported, "key '\(said.key)' is \(version); supported 0..2")
    }
  }

  /// Whether a tensor has these dimensions, and beyond them only ones.
  private static func isEqual(_ found: [Int], _ expected: [Int]) -> Bool {
    guard found.count >= expected.count else { return false }
    var index = 0
    while index < found.count {
      if found[index] != (index < expected.count ? expected[index] : 1) { return false }
      index &+= 1
    }
    return true
  }

  private func format(of tensor: StoredTensor) throws(EngineError) -> PanelFormat {
    guard let format = PanelFormat.of(tensor.type.unpacked) else {
      throw EngineError(
        .unsupported,
        "tensor '\(tensor.name)' is of type \(tensor.type.name); supported: \(PanelFormat.names)")
    }
    return format
  }

  /// Whether a matrix stays in its file.
  func isMapped(_ matrix: PlannedMatrix) -> Bool { mapsPacked && matrix.isPacked }

  /// Gives every matrix and vector its place in the weights' memory.
  private mutating func place() throws(EngineError) {
    var sizes = Sizes()
    // `isMapped`, which may not be asked while the list is written to.
    let mapsPacked = mapsPacked
    matrices.withUnsafeMutableBufferPointer { matrices in
      var i = 0
      while i < matrices.count {
        if !(mapsPacked && matrices[i].isPacked) {
          matrices[i].offset = sizes.add(matrices[i].panelCount, matrices[i].panelStride)
        }
        i &+= 1
      }
    }
    vectors.withUnsafeMutableBufferPointer { vectors in
      var i = 0
      while i < vectors.count {
        vectors[i].offset = sizes.add(padded(vectors[i].count), 4)
        i &+= 1
      }
    }
    // Products may ask for lines a little beyond what they stream: that stays inside the mapping.
    _ = sizes.add(1, 4096)
    guard let total = sizes.total else {
      throw EngineError(.limitExceeded, "the sizes of all tensors overflow 64 bits")
    }
    byteCount = total
  }
}
