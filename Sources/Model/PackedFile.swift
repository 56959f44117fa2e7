// Packed files: a GGUF whose matrices lie in panels, as the engine has them in memory, so that a
// load moves nothing. Metadata and names are those of the source; types are `TensorType.packed`,
// which other readers refuse. A key tells the version of the layout.
import Formats
import Kernels
import Quantization
import Synchronization
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
    guard let tensor = file.tensors.first(where: { $0.type.isPacked }) else { return }
    let found = try file.metadata.unsigned(versionKey, in: 0...UInt64.max)
    guard found == version else {
      throw EngineError(
        .unsupported,
        "tensor \(quoted(tensor.name)) is packed in version "
          + "\(found.map(String.init) ?? "unknown"); supported is \(version): "
          + "pack the source again")
    }
  }

  /// Writes the packed file of the model at `source`.
  ///
  /// Throws what opening a model throws; `.invalidArgument` when the source is packed or the target
  /// is there; `.inputOutput`; `.cancelled`. Without success there is no file.
  package static func write(
    _ target: UnsafePointer<CChar>, of source: UnsafePointer<CChar>, _ options: PackOptions
  ) throws(EngineError) {
    let file = try GGUFFile(path: source)
    if let tensor = file.tensors.first(where: { $0.type.isPacked }) {
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
    let header = try header(file, layout)
    try write(header, to: output, at: 0)
    let start = (header.count + alignment - 1) & ~(alignment - 1)
    try PackedWriter(file: file, output: output, start: UInt64(start), threads: options.threads)
      .write(plan, layout, options.progress)
    try file.checkUnchanged()
    try output.commit()
  }

  private static func write(
    _ bytes: [UInt8], to output: OutputFile, at offset: UInt64
  ) throws(EngineError) {
    let outcome = bytes.withUnsafeBytes { bytes -> Result<Void, EngineError> in
      do throws(EngineError) {
        return .success(try output.write(bytes, at: offset))
      } catch { return .failure(error) }
    }
    try outcome.get()
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
          let count = matrix.tensor.dimensions.dropFirst(2).reduce(1, *)
          end = sizes.add(count, matrix.panelByteCount)
          tensors.append((matrix.tensor, matrix.tensor.type.packed, end))
          last = matrix.tensor.name
        }
        matrices.append(end)
        end += matrix.panelByteCount
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
  private static func header(_ file: GGUFFile, _ layout: Layout) throws(EngineError) -> [UInt8] {
    let copied = file.metadata.keys.indices.filter { !leftOut.contains(file.metadata.keys[$0]) }
    var writer = HeaderWriter()
    writer.bytes.append(contentsOf: "GGUF".utf8)
    writer.integer(UInt32(3))
    writer.integer(UInt64(layout.tensors.count))
    writer.integer(UInt64(copied.count + 2))
    for index in copied { try writer.copy(file.metadata.ranges[index], of: file) }
    writer.key("general.alignment", UInt32(alignment))
    writer.key(versionKey, UInt32(version))
    for (tensor, type, offset) in layout.tensors {
      writer.string(tensor.name)
      writer.integer(UInt32(tensor.dimensions.count))
      for dimension in tensor.dimensions { writer.integer(UInt64(dimension)) }
      writer.integer(type.rawValue)
      writer.integer(UInt64(offset))
    }
    return writer.bytes
  }
}

/// Bytes of a GGUF header.
private struct HeaderWriter {
  var bytes: [UInt8] = []

  mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
    for i in 0..<Value.bitWidth / 8 {
      bytes.append(UInt8(truncatingIfNeeded: value >> Value(8 * i)))
    }
  }

  mutating func string(_ text: String) {
    integer(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func key(_ name: String, _ value: UInt32) {
    string(name)
    integer(GGUFValueType.uint32.rawValue)
    integer(value)
  }

  /// A key with its value, as the file has it.
  mutating func copy(_ range: Range<UInt64>, of file: GGUFFile) throws(EngineError) {
    // The header's ceiling bounds the range.
    let copy = try Memory(byteCount: range.count, for: "a key of the metadata", from: nil)
    let buffer = UnsafeMutableRawBufferPointer(start: copy.base, count: range.count)
    try file.read(into: buffer, part: 0, at: range.lowerBound)
    bytes.append(contentsOf: buffer)
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
  private var panelsPerUnit = 1
  private let failed = Atomic<Bool>(false)
  private let failure = Mutex<EngineError?>(nil)

  init(file: GGUFFile, output: OutputFile, start: UInt64, threads: Int) {
    self.file = file
    self.output = output
    self.start = start
    workers = Workers(count: threads)
  }

  func write(
    _ plan: WeightPlan, _ layout: PackedFile.Layout, _ progress: (UInt64, UInt64) -> Bool
  ) throws(EngineError) {
    let rows = plan.matrices.map { $0.rowByteCount * panelRows }.max() ?? 0
    let panel = plan.matrices.map(\.panelStride).max() ?? 0
    for _ in 0..<workers.count {
      inputs.append(try Memory(byteCount: rows, for: "reading the weights", from: nil))
      panels.append(try Memory(byteCount: panel, for: "packing the weights", from: nil))
    }
    for (vector, offset) in zip(plan.vectors, layout.vectors) { try copy(vector, to: offset) }
    let total = plan.matrices.reduce(UInt64(0)) { $0 + UInt64($1.panelByteCount) }
    var done: UInt64 = 0
    for (matrix, offset) in zip(plan.matrices, layout.matrices) {
      if progress(done, total) {
        throw EngineError(.cancelled, "packing was stopped by the progress callback")
      }
      try pack(matrix, to: offset)
      done += UInt64(matrix.panelByteCount)
    }
    _ = progress(total, total)
  }

  private func copy(_ vector: PlannedVector, to offset: Int) throws(EngineError) {
    let size = vector.tensor.byteCount
    let bytes = try Memory(byteCount: size, for: "reading '\(vector.tensor.name)'", from: nil)
    let buffer = UnsafeMutableRawBufferPointer(start: bytes.base, count: size)
    try file.read(into: buffer, part: vector.tensor.part, at: vector.tensor.offset)
    try output.write(UnsafeRawBufferPointer(buffer), at: start + UInt64(offset))
  }

  private func pack(_ matrix: PlannedMatrix, to offset: Int) throws(EngineError) {
    self.matrix = matrix
    self.offset = start + UInt64(offset)
    workers.run(matrix.panelCount, Unmanaged.passUnretained(self).toOpaque()) {
      context, unit, worker in
      Unmanaged<PackedWriter>.fromOpaque(context).takeUnretainedValue().pack(panel: unit, worker)
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
  }

  private func pack(panel index: Int, _ worker: Int) {
    guard !failed.load(ordering: .relaxed), let matrix else { return }
    let rows = min(panelRows, matrix.rows - index * panelRows)
    let source = inputs[worker].base
    let panel = panels[worker].base
    do throws(EngineError) {
      try file.read(
        into: UnsafeMutableRawBufferPointer(start: source, count: rows * matrix.rowByteCount),
        part: matrix.tensor.part,
        at: matrix.fileOffset + UInt64(index * panelRows * matrix.rowByteCount))
      // Lanes without a row stay zero, whatever an earlier panel left there.
      if rows < panelRows {
        panel.initializeMemory(as: UInt8.self, repeating: 0, count: matrix.panelStride)
      }
      matrix.format.pack(
        rows: source, rowStride: matrix.rowByteCount, rowCount: rows, blocks: matrix.blocks,
        into: panel)
      try output.write(
        UnsafeRawBufferPointer(start: panel, count: matrix.panelStride),
        at: offset + UInt64(index * matrix.panelStride))
    } catch {
      failed.store(true, ordering: .relaxed)
      failure.withLock { if $0 == nil { $0 = error } }
    }
  }
}
