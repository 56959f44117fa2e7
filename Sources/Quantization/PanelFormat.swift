// The panels of one tensor type: sizes, packing, reading a row back. The rest of the engine knows
// types only through this value.
import Base
import Formats
import Kernels

/// The panels of one tensor type.
package struct PanelFormat: Sendable {
  package let tensorType: TensorType
  package let panelType: PanelType
  /// Columns of a block, 1 for plain values.
  package let columns: Int
  /// Bytes of a block of one row in the file.
  package let fileBlockByteCount: Int
  /// Bytes of a block of a panel.
  package let panelBlockByteCount: Int
  private let packRows:
    @Sendable (UnsafeRawPointer, Int, Int, Int, UnsafeMutableRawPointer) throws(EngineError) -> Void
  private let plain: (@Sendable (UnsafeRawPointer, Int) -> Float)?

  package var activationForm: ActivationForm {
    columns == 1 ? .float : columns == 32 ? .blocks32 : .blocks256
  }

  /// The format of a tensor type; nil for types without kernels.
  @export(interface)
  package static func of(_ type: TensorType) -> PanelFormat? {
    formats.withUnsafeBufferPointer { formats in
      for format in formats where format.tensorType == type { return format }
      return nil
    }
  }

  /// Columns and bytes of a packed tensor's block, which is a panel's; nil for types without
  /// kernels.
  package static let packedBlock: PackedBlock = { type in
    of(type.unpacked).map { ($0.columns, $0.panelBlockByteCount) }
  }

  /// The types with kernels, for messages: "F32, F16, …".
  package static var names: String {
    var text = ""
    for format in formats { text += (text.isEmpty ? "" : ", ") + format.tensorType.name }
    return text
  }

  /// Every format with kernels, in the order of `PanelType`.
  package static let formats: [PanelFormat] = [
    PanelFormat(SinglePrecision.self, .f32, .f32),
    PanelFormat(HalfPrecision.self, .f16, .f16),
    PanelFormat(BrainFloat.self, .bf16, .bf16),
    PanelFormat(Q4_0.self),
    PanelFormat(Q4_1.self),
    PanelFormat(Q5_0.self),
    PanelFormat(Q5_1.self),
    PanelFormat(Q8_0.self),
    PanelFormat(Q2_K.self),
    PanelFormat(Q3_K.self),
    PanelFormat(Q4_K.self),
    PanelFormat(Q5_K.self),
    PanelFormat(Q6_K.self),
    PanelFormat(IQ4_NL.self),
    PanelFormat(IQ4_XS.self),
  ]

  private init<Plain: PlainType>(
    _ plain: Plain.Type, _ tensorType: TensorType, _ panelType: PanelType
  ) {
    self.tensorType = tensorType
    self.panelType = panelType
    columns = 1
    fileBlockByteCount = Plain.byteCount
    panelBlockByteCount = Plain.Panel.byteCount
    packRows = { Plain.pack(rows: $0, rowStride: $1, rowCount: $2, columns: $3, into: $4) }
    self.plain = { Plain.value($0, $1) }
  }

  private init<Block: BlockType>(_ block: Block.Type) {
    tensorType = Block.tensorType
    panelType = Block.panelType
    columns = Block.Panel.columns
    fileBlockByteCount = Block.fileByteCount
    panelBlockByteCount = Block.Panel.byteCount
    packRows = { (rows, stride, rowCount, blocks, panel) throws(EngineError) in
      try Block.pack(
        rows: rows, rowStride: stride, rowCount: rowCount, blocks: blocks, into: panel)
    }
    plain = nil
  }
}

extension PanelFormat {
  /// Packs `rowCount` (1...16) rows of `blocks` blocks, `rowStride` bytes apart, into `panel`.
  ///
  /// `panel` is blocks x panelBlockByteCount bytes; lanes without a row become zero.
  /// SAFETY: the caller sized both from the tensor's checked dimensions.
  @export(interface)
  package func pack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, blocks: Int,
    into panel: UnsafeMutableRawPointer
  ) throws(EngineError) { try packRows(rows, rowStride, rowCount, blocks, panel) }

  /// Value `index` of a row of plain values as the file has it; `internal` for a type of blocks.
  @export(interface)
  package func plainValue(
    _ values: UnsafeRawPointer, _ index: Int
  ) throws(EngineError) -> Float {
    guard let plain else {
      throw EngineError(.internal, "a value of \(tensorType.name) is read without its block")
    }
    return plain(values, index)
  }
}

/// Reading one row of panels back as floats: the embedding of a token.
package struct RowReader {
  private let tile: KernelTable.Tile
  private let columns: Int
  private let blockByteCount: Int
  /// Blocks that the workspace takes at once.
  private let blocksTogether: Int

  @export(interface)
  package init(_ format: PanelFormat, _ table: KernelTable) {
    tile = table.tile(format.panelType)
    columns = format.columns
    blockByteCount = format.panelBlockByteCount
    blocksTogether = max(1, 256 / max(1, format.columns))
  }

  /// Writes blocks x columns values of the row in `lane` (0...15) of `panel`; `workspace` has
  /// `tileByteCount` bytes.
  @export(interface)
  package func read(
    panel: UnsafeRawPointer, lane: Int, blocks: Int, into out: UnsafeMutablePointer<Float>,
    workspace: UnsafeMutableRawPointer
  ) {
    let values = workspace.assumingMemoryBound(to: Float.self)
    var block = 0
    while block < blocks {
      let count = min(blocksTogether, blocks &- block)
      tile(panel + block &* blockByteCount, count, values)
      let row = out + block &* columns
      var column = 0
      while column < count &* columns {
        row[column] = values[column &* panelRows &+ lane]
        column &+= 1
      }
      block &+= count
    }
  }
}
