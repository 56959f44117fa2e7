// Packed files: a GGUF whose matrices lie in panels, as the engine has them in memory, so that a
// load moves nothing. Metadata and names are those of the source; types are `TensorType.packed`,
// which other readers refuse. A key tells the version of the layout. No size overflows, for the
// bounds that PlannedMatrix says; the header is as bounded as its source's.
import Forward
import Base
import Formats
import Kernels
import Quantization
import Workers

/// How to pack a file.
package struct PackOptions {
  package var threads = 1
  /// Whether a file that is there is replaced.
  package var replaces = false
  /// Called with bytes written and in all; true stops.
  package var progress: (UInt64, UInt64) -> Bool = { _, _ in false }

  package init() {}
}

/// The version key of packed files, and their writer.
package enum PackedFile {
  private static let versionKey = "mixtral.packed.version"
  private static let version: UInt64 = 1
  /// What the parts of a split model say of themselves, and where tensors start: not true any more.
  private static let leftOut = [
    "split.no", "split.count", "split.tensors.count", "general.alignment", versionKey,
  ]
  /// Panels start at whole lines of the cache.
  private static let alignment = 64

  /// Throws `.unsupported` for panels of a layout that this engine does not have.
  static func checkVersion(_ file: GGUFFile) throws(EngineError) {
    guard let tensor = try packedTensor(of: file) else { return }
    let found = try file.metadata.unsigned(versionKey, in: 0...UInt64.max)
    guard found == version else {
      throw EngineError(
        .unsupported,
        "tensor \(quoted(tensor.name)) is packed in version "
          + "\(found.map(String.init) ?? "unknown"); supported is \(version): "
          + "pack the source again")
    }
  }

  /// The first tensor that is packed.
  private static func packedTensor(of file: GGUFFile) throws(EngineError) -> GGUFTensor? {
    var index = 0
    while index < file.tensors.count {
      let tensor = try file.tensors.at(index)
      if tensor.type.isPacked { return tensor }
      index &+= 1
    }
    return nil
  }

  /// Writes the packed file of the model at `source`.
  ///
  /// Throws what opening a model throws; `.invalidArgument` when the source is packed or the target
  /// is there; `.inputOutput`; `.cancelled`. Without success there is no file.
  package static func write(
    _ target: UnsafePointer<CChar>, of source: UnsafePointer<CChar>, _ options: PackOptions
  ) throws(EngineError) {
    let file = try GGUFFile(path: source, packedBlock: PanelFormat.packedBlock)
    if let tensor = try packedTensor(of: file) {
      throw EngineError(
        .invalidArgument,
        "tensor \(quoted(tensor.name)) is \(tensor.type.name): nothing is to be packed")
    }
    let plan = try file.naming { () throws(EngineError) in
      let shape = try Hyperparameters(file.metadata, slidingWindow: 0, expertsPerToken: 0)
      return try WeightPlan(file, shape, mapsPacked: false)
    }
    let layout = try Layout(plan)
    let output = try OutputFile(
      path: target, replacing: options.replaces, source: file.firstFile)
    var header = try header(file, layout)
    try output.write(UnsafeRawBufferPointer(try header.all()), at: 0)
    let start = UInt64(clamping: (header.count &+ alignment &- 1) & ~(alignment &- 1))
    try PackedWriter(file: file, output: output, start: start, threads: options.threads)
      .write(plan, layout, options.progress)
    try file.checkUnchanged()
    try output.commit()
  }

  /// Where each tensor goes, relative to the first.
  struct Layout {
    /// Tensors in the order of the plan.
    private(set) var tensors: [(tensor: GGUFTensor, type: TensorType, offset: Int)] = []
    /// By place in the plan.
    private(set) var matrices: [Int] = []
    private(set) var vectors: [Int] = []

    init(_ plan: WeightPlan) throws(EngineError) {
      var sizes = Sizes()
      // The experts of a merged tensor follow one another without gaps.
      var end = 0
      var last: String?
      for matrix in plan.matrices {
        if matrix.tensor.name != last {
          let dimensions = matrix.tensor.dimensions
          let count = dimensions.count > 2 ? dimensions[2] : 1
          end = sizes.add(count, matrix.panelByteCount)
          tensors.append((matrix.tensor, matrix.tensor.type.packed, end))
          last = matrix.tensor.name
        }
        matrices.append(end)
        end &+= matrix.panelByteCount
      }
      for vector in plan.vectors {
        let offset = sizes.add(1, vector.tensor.byteCount)
        tensors.append((vector.tensor, vector.tensor.type, offset))
        vectors.append(offset)
      }
      guard sizes.total != nil else {
        throw EngineError(.limitExceeded, "the sizes of all panels overflow 64 bits")
      }
    }
  }

  /// Everything before the tensors' data.
  private static func header(
    _ file: GGUFFile, _ layout: Layout
  ) throws(EngineError) -> Growable<UInt8> {
    var keyCount = 2
    for key in file.metadata.keys where !leftOut.contains(key) { keyCount &+= 1 }
    var writer = HeaderWriter()
    try writer.bytes.append("GGUF")
    try writer.integer(UInt32(3))
    try writer.integer(UInt64(clamping: layout.tensors.count))
    try writer.integer(UInt64(clamping: keyCount))
    var index = 0
    while index < file.metadata.keys.count {
      if !leftOut.contains(try file.metadata.keys.at(index)) {
        try writer.copy(file.metadata.ranges.at(index), of: file)
      }
      index &+= 1
    }
    try writer.key("general.alignment", UInt32(alignment))
    try writer.key(versionKey, UInt32(version))
    index = 0
    while index < layout.tensors.count {
      let (tensor, type, offset) = try layout.tensors.at(index)
      try writer.string(tensor.name)
      try writer.dimensions(tensor.dimensions)
      try writer.integer(type.rawValue)
      try writer.integer(UInt64(clamping: offset))
      index &+= 1
    }
    return writer.bytes
  }
}

/// Bytes of a GGUF header.
private struct HeaderWriter {
  var bytes = Growable<UInt8>()

  mutating func integer<Value: FixedWidthInteger>(_ value: Value) throws(EngineError) {
    var shift = 0
    while shift < Value.bitWidth {
      try bytes.append(UInt8(truncatingIfNeeded: value >> shift))
      shift &+= 8
    }
  }

  mutating func string(_ text: String) throws(EngineError) {
    try integer(UInt64(clamping: text.utf8.count))
    try bytes.append(text)
  }

  mutating func dimensions(_ sizes: [Int]) throws(EngineError) {
    try integer(UInt32(clamping: sizes.count))
    var index = 0
    while index < sizes.count {
      try integer(UInt64(clamping: sizes.at(index)))
      index &+= 1
    }
  }

  mutating func key(_ name: String, _ value: UInt32) throws(EngineError) {
    try string(name)
    try integer(GGUFValueType.uint32.rawValue)
    try integer(value)
  }

  /// A key with its value, as the file has it.
  mutating func copy(_ range: Range<UInt64>, of file: GGUFFile) throws(EngineError) {
    // The header's ceiling bounds the range.
    let count = Int(clamping: range.upperBound &- range.lowerBound)
    let copy = try Memory(byteCount: count, for: "a key of the metadata", from: nil)
    let buffer = UnsafeMutableRawBufferPointer(start: copy.base, count: count)
    try file.read(into: buffer, part: 0, at: range.lowerBound)
    try bytes.append(contentsOf: UnsafeBufferPointer(buffer.assumingMemoryBound(to: UInt8.self)))
  }
}

/// Reads, packs and writes, the panels of each matrix shared out among the threads.
private final class PackedWriter {
  private let file: GGUFFile
  private let output: OutputFile
  private let start: UInt64
  private let workers: Workers
  private var inputs: [Memory] = []
  private var panels: [Memory] = []
  private var matrix: PlannedMatrix?
  private var offset: UInt64 = 0
  private let failure = FirstError()

  init(file: GGUFFile, output: OutputFile, start: UInt64, threads: Int) {
    self.file = file
    self.output = output
    self.start = start
    workers = Workers(count: threads)
  }

  func write(
    _ plan: WeightPlan, _ layout: PackedFile.Layout, _ progress: (UInt64, UInt64) -> Bool
  ) throws(EngineError) {
    var (rows, panel) = (0, 0)
    var total: UInt64 = 0
    var index = 0
    while index < plan.matrices.count {
      let matrix = try plan.matrices.at(index)
      rows = max(rows, matrix.rowByteCount &* panelRows)
      panel = max(panel, matrix.panelStride)
      total &+= UInt64(clamping: matrix.panelByteCount)
      index &+= 1
    }
    while panels.count < workers.count {
      inputs.append(try Memory(byteCount: rows, for: "reading the weights", from: nil))
      panels.append(try Memory(byteCount: panel, for: "packing the weights", from: nil))
    }
    index = 0
    while index < plan.vectors.count {
      try copy(plan.vectors.at(index), to: layout.vectors.at(index))
      index &+= 1
    }
    var done: UInt64 = 0
    index = 0
    while index < plan.matrices.count {
      let matrix = try plan.matrices.at(index)
      if progress(done, total) {
        throw EngineError(.cancelled, "packing was stopped by the progress callback")
      }
      try pack(matrix, to: layout.matrices.at(index))
      done &+= UInt64(clamping: matrix.panelByteCount)
      index &+= 1
    }
    _ = progress(total, total)
  }

  private func copy(_ vector: PlannedVector, to offset: Int) throws(EngineError) {
    let size = vector.tensor.byteCount
    let bytes = try Memory(byteCount: size, for: "reading '\(vector.tensor.name)'", from: nil)
    let buffer = UnsafeMutableRawBufferPointer(start: bytes.base, count: size)
    try file.read(into: buffer, part: vector.tensor.part, at: vector.tensor.offset)
    try output.write(UnsafeRawBufferPointer(buffer), at: start &+ UInt64(clamping: offset))
  }

  private func pack(_ matrix: PlannedMatrix, to offset: Int) throws(EngineError) {
    self.matrix = matrix
    self.offset = start &+ UInt64(clamping: offset)
    workers.run(matrix.panelCount, Unmanaged.passUnretained(self).toOpaque()) {
      context, unit, worker in
      Unmanaged<PackedWriter>.fromOpaque(context).takeUnretainedValue().pack(panel: unit, worker)
    }
    try failure.check()
  }

  private func pack(panel index: Int, _ worker: Int) {
    guard let matrix else { return }
    failure.attempt { () throws(EngineError) in
      try pack(index, of: matrix, inputs.at(worker).base, panels.at(worker).base)
    }
  }

  private func pack(
    _ index: Int, of matrix: PlannedMatrix, _ source: UnsafeMutableRawPointer,
    _ panel: UnsafeMutableRawPointer
  ) throws(EngineError) {
    let rows = min(panelRows, matrix.rows &- index &* panelRows)
    try file.read(
      into: UnsafeMutableRawBufferPointer(start: source, count: rows &* matrix.rowByteCount),
      part: matrix.tensor.part,
      at: matrix.fileOffset &+ UInt64(clamping: index &* panelRows &* matrix.rowByteCount))
    // Lanes without a row stay zero, whatever an earlier panel left there. (A panel is never empty;
    // the compiler is told, or it would check.)
    if rows < panelRows, matrix.panelStride > 0 {
      panel.initializeMemory(as: UInt8.self, repeating: 0, count: matrix.panelStride)
    }
    try matrix.format.pack(
      rows: source, rowStride: matrix.rowByteCount, rowCount: rows, blocks: matrix.blocks,
      into: panel)
    try output.write(
      UnsafeRawBufferPointer(start: panel, count: matrix.panelStride),
      at: offset &+ UInt64(clamping: index &* matrix.panelStride))
  }
}
