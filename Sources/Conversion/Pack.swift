// Packing: a model becomes a GGUF whose matrices lie in panels, as the engine has them in memory,
// so that a load moves nothing. Metadata and names are those of the source; types are
// `TensorType.packed`, which other readers refuse. No size overflows, for the bounds that
// PlannedMatrix says; the header is as bounded as its source's.
import Base
import Formats
import Model
import Quantization
import Workers

/// How to pack a file.
package struct PackOptions {
  package var threads = 1
  /// Whether a file that is there is replaced.
  package var replaces = false
  /// Called with bytes read and in all; true stops.
  package var progress: (UInt64, UInt64) -> Bool = { _, _ in false }

  package init() {}
}

/// The writer of packed files.
package enum Pack {
  /// Keys that are not true any more: of the parts of a split model, and of where tensors start.
  private static let leftOut = [
    "split.no", "split.count", "split.tensors.count", "general.alignment", GGUF.packedVersionKey,
  ]
  /// Panels start at whole lines of the cache.
  private static let alignment = 64

  /// Writes the packed file of the model at `source`.
  ///
  /// Throws what opening a model throws; `.invalidArgument` when the source is packed, the target
  /// is there or a part of the source; `.inputOutput`; `.cancelled`. Without success there is no
  /// file.
  @export(interface)
  package static func write(
    _ target: UnsafePointer<CChar>, of source: UnsafePointer<CChar>, _ options: PackOptions
  ) throws(EngineError) {
    let checkpoint = try Checkpoint.open(path: source, packedBlock: PanelFormat.packedBlock)
    if let tensor = try GGUF.packedTensor(checkpoint.tensors) {
      throw EngineError(
        .invalidArgument,
        "tensor \(quoted(tensor.name)) is \(tensor.type.name): nothing is to be packed")
    }
    let plan = try checkpoint.naming { () throws(EngineError) in try WeightPlan(checkpoint) }
    let layout = try PackedLayout.of(plan)
    let output = try OutputFile.created(
      path: target, replacing: options.replaces, sources: checkpoint.files)
    let start = try header(checkpoint, plan, layout).write(to: output)
    let stream = TensorStream(
      from: checkpoint, workers: Workers(count: options.threads), for: "packing")
    try stream.run(plan.vectors.count) { (index) throws(EngineError) in
      let offset = start &+ UInt64(clamping: try layout.vectors.at(index))
      return try plan.vectors.at(index).streamed(to: .file(output, offset))
    }
    let progress = options.progress
    try stream.run(plan.matrices.count, progress: progress) { (index) throws(EngineError) in
      let offset = start &+ UInt64(clamping: try layout.matrices.at(index))
      return try plan.matrices.at(index).streamed(to: .file(output, offset))
    }
    try checkpoint.checkUnchanged()
    try output.commit()
  }

  /// Everything before the tensors' data.
  private static func header(
    _ checkpoint: Checkpoint, _ plan: WeightPlan, _ layout: PackedLayout
  ) throws(EngineError) -> GGUFHeaderWriter {
    var writer = GGUFHeaderWriter(alignment: alignment)
    let keys = checkpoint.metadata.keys
    for index in below(keys.count) where !leftOut.contains(try keys.at(index)) {
      try writer.copyKey(index, of: checkpoint)
    }
    try writer.add("general.alignment", UInt32(clamping: alignment))
    try writer.add(GGUF.packedVersionKey, GGUF.packedVersion)
    for index in below(layout.tensorStarts.count) {
      let matrix = try layout.tensorStarts.at(index)
      let tensor = try plan.matrices.at(matrix).tensor
      try writer.add(
        tensor: tensor.name, tensor.type.packed, tensor.dimensions,
        offset: try layout.matrices.at(matrix))
    }
    for index in below(plan.vectors.count) {
      let tensor = try plan.vectors.at(index).tensor
      try writer.add(
        tensor: tensor.name, tensor.type, tensor.dimensions, offset: try layout.vectors.at(index))
    }
    return writer
  }
}

/// Where everything goes, from the start of the data on: matrices in the order of the plan, then
/// vectors.
private struct PackedLayout {
  /// Offsets by place in the plan.
  private(set) var matrices = Growable<Int>()
  private(set) var vectors = Growable<Int>()
  /// The first matrix of each tensor.
  private(set) var tensorStarts = Growable<Int>()

  static func of(_ plan: WeightPlan) throws(EngineError) -> PackedLayout {
    var layout = PackedLayout()
    var sizes = Sizes()
    // The experts of a merged tensor follow one another without gaps.
    var end = 0
    var last: String?
    for index in below(plan.matrices.count) {
      let matrix = try plan.matrices.at(index)
      if matrix.tensor.name != last {
        let dimensions = matrix.tensor.dimensions
        let count = dimensions.count > 2 ? try dimensions.at(2) : 1
        end = sizes.add(count, matrix.panelByteCount)
        try layout.tensorStarts.append(index)
        last = matrix.tensor.name
      }
      try layout.matrices.append(end)
      end &+= matrix.panelByteCount
    }
    for index in below(plan.vectors.count) {
      try layout.vectors.append(sizes.add(1, plan.vectors.at(index).tensor.byteCount))
    }
    guard sizes.total != nil else {
      throw EngineError(.limitExceeded, "the sizes of all panels overflow 64 bits")
    }
    return layout
  }
}
