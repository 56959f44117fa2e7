// Panels and activations for the products: any weights, any activations, at any place in guarded
// memory.
import Kernels
import Quantization
import Support
import Testing

/// How the activations of a sample look.
enum ActivationSample: CaseIterable, Sendable {
  case random
  case zero
  /// Codes of +127, -127 and both in turns: the largest sums that can be.
  case largest
  case smallest
  case alternating

  func value(_ i: Int, using random: inout SeededGenerator) -> Float {
    switch self {
    case .random: Float.random(in: -1...1, using: &random)
    case .zero: 0
    case .largest: 3
    case .smallest: -3
    case .alternating: i % 2 == 0 ? 3 : -3
    }
  }
}

/// Weights of `panels` panels and activations of `rows` rows of one type, in plain bytes.
struct ProductSample {
  let format: PanelFormat
  let panels: Int
  let blocks: Int
  let rows: Int
  /// The rows of weights as a file has them, 16 a panel.
  let file: [[UInt8]]
  let weights: [UInt8]
  /// [rows][rowByteCount].
  let activations: [UInt8]
  /// [rows][columns], before they were quantised.
  let values: [[Float]]

  var columns: Int { blocks * format.columns }
  var rowByteCount: Int { format.activationForm.rowByteCount(columns: columns) }
  var panelByteCount: Int { blocks * format.panelBlockByteCount }
  var product: KernelTable.Product { KernelTable.reference.product(format.panelType) }

  init(
    _ type: PanelType, panels: Int, blocks: Int, rows: Int, weights sample: BlockSample,
    activations shape: ActivationSample, seed: UInt64
  ) throws {
    var random = SeededGenerator(seed: seed)
    let format = try #require(PanelFormat.formats.first { $0.panelType == type })
    (self.format, self.panels, self.blocks, self.rows) = (format, panels, blocks, rows)
    let columns = blocks * format.columns
    file = (0..<panels * panelRows).map { _ in
      sample.row(format.tensorType, columns: columns, using: &random)
    }
    weights = try Self.pack(file, format, panels: panels, blocks: blocks)
    values = (0..<rows).map { _ in (0..<columns).map { shape.value($0, using: &random) } }
    activations = values.flatMap { Self.quantise($0, format.activationForm) }
  }

  /// Rows of a file as panels.
  static func pack(
    _ rows: [[UInt8]], _ format: PanelFormat, panels: Int, blocks: Int
  ) throws -> [UInt8] {
    let stride = blocks * format.fileBlockByteCount
    let panelByteCount = blocks * format.panelBlockByteCount
    var packed = [UInt8](repeating: 0, count: panels * panelByteCount)
    try packed.withUnsafeMutableBytes { out in
      guard let out = out.baseAddress else { return }
      for panel in 0..<panels {
        let bytes = rows[panel * panelRows..<(panel + 1) * panelRows].flatMap { $0 }
        try bytes.withUnsafeBytes { bytes in
          guard let bytes = bytes.baseAddress else { return }
          try format.pack(
            rows: bytes, rowStride: stride, rowCount: panelRows, blocks: blocks,
            into: out + panel * panelByteCount)
        }
      }
    }
    return packed
  }

  /// A row in the form that a product reads, by the reference.
  static func quantise(_ values: [Float], _ form: ActivationForm) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: form.rowByteCount(columns: values.count))
    bytes.withUnsafeMutableBytes { out in
      guard let out = out.baseAddress else { return }
      values.withUnsafeBufferPointer { values in
        guard let x = values.baseAddress else { return }
        switch form {
        case .float: out.copyMemory(from: x, byteCount: values.count * 4)
        case .blocks32: KernelTable.reference.quantize32(x, values.count / 32, out)
        case .blocks256: KernelTable.reference.quantize256(x, values.count / 256, out)
        }
      }
    }
    return bytes
  }

  /// All outputs by the reference, as bits: [rows][panels x 16].
  func reference() -> [[UInt32]] {
    var out = [Float](repeating: .nan, count: rows * panels * 16)
    weights.withUnsafeBytes { weights in
      activations.withUnsafeBytes { activations in
        out.withUnsafeMutableBufferPointer { out in
          // Empty arrays have no address; no byte of it is read then.
          let none = UnsafeRawPointer(bitPattern: 64)
          guard let w = weights.baseAddress ?? none, let a = activations.baseAddress ?? none,
            let out = out.baseAddress
          else { return }
          product(w, panels, blocks, a, rows, rowByteCount, out, panels * 16)
        }
      }
    }
    return (0..<rows).map { row in
      (0..<panels * 16).map { out[row * panels * 16 + $0].bitPattern }
    }
  }
}

/// Where a call's memory lies.
enum Placement: Int, CaseIterable, Sendable {
  /// The last bytes touch a page that cannot be read.
  case beforeGuard
  /// The first bytes do.
  case afterGuard
  /// At an address that is 1, 2, 3 modulo 64.
  case shifted1, shifted2, shifted3

  var shift: Int { self == .beforeGuard ? 0 : self == .afterGuard ? 0 : rawValue - 1 }

  /// Bytes at such a place, and the memory that holds them.
  func place(_ bytes: ArraySlice<UInt8>) throws -> (memory: GuardedBuffer, start: UnsafeRawPointer)
  {
    let side: GuardedBuffer.Side = self == .beforeGuard ? .end : .start
    let memory = try GuardedBuffer(byteCount: bytes.count + shift, guarding: side)
    bytes.withUnsafeBytes { from in
      if let from = from.baseAddress {
        (memory.base + shift).copyMemory(from: from, byteCount: bytes.count)
      }
    }
    return (memory, UnsafeRawPointer(memory.base + shift))
  }
}
