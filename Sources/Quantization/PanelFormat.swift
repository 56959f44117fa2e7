// The panels of one tensor type: sizes, packing, decoding. The rest of the engine knows types only
// through this value.
import Base
import Formats
import Kernels

/// The panels of one tensor type.
package struct PanelFormat: Sendable {
  package let tensorType: TensorType
  package let panelType: PanelType
  let family: BlockFamily
  /// Columns of a block, 1 for plain values.
  package let columns: Int
  /// Bytes of a block of one row in the file.
  package let fileBlockByteCount: Int
  /// Bytes of a block of a panel.
  package let panelBlockByteCount: Int
  let codeBits: Int
  let codeOffset: Int32
  /// (rows, rowStride, rowCount, out): a block of each row, `Unpacked.byteCount` bytes apart.
  let unpack: @Sendable (UnsafeRawPointer, Int, Int, UnsafeMutableRawPointer) -> Void

  package var activationForm: ActivationForm {
    switch family {
    case .float: .float
    case .offset, .affine: .blocks32
    case .affine32, .affine16, .offset16: .blocks256
    }
  }

  /// The format of a tensor type; nil for types without kernels.
  package static func of(_ type: TensorType) -> PanelFormat? {
    var index = 0
    while index < formats.count, let format = try? formats.at(index) {
      if format.tensorType == type { return format }
      index &+= 1
    }
    return nil
  }

  /// The types with kernels, for messages: "F32, F16, …".
  package static var names: String {
    var text = ""
    for format in formats { text += (text.isEmpty ? "" : ", ") + format.tensorType.name }
    return text
  }

  /// Every format with kernels: plain values, then blocks in the order of their numbers in GGUF.
  package static let formats: [PanelFormat] = [
    PanelFormat(plain: .f32, .f32, byteCount: 4), PanelFormat(plain: .f16, .f16, byteCount: 2),
    PanelFormat(plain: .bf16, .bf16, byteCount: 2),
    PanelFormat(Q4_0.self), PanelFormat(Q4_1.self), PanelFormat(Q5_0.self), PanelFormat(Q5_1.self),
    PanelFormat(Q8_0.self), PanelFormat(Q2_K.self), PanelFormat(Q3_K.self), PanelFormat(Q4_K.self),
    PanelFormat(Q5_K.self), PanelFormat(Q6_K.self),
  ]

  private init(plain type: TensorType, _ panelType: PanelType, byteCount: Int) {
    tensorType = type
    self.panelType = panelType
    family = .float
    columns = 1
    fileBlockByteCount = byteCount
    panelBlockByteCount = byteCount &* panelRows
    codeBits = 0
    codeOffset = 0
    unpack = { _, _, _, _ in }
  }

  private init<Block: BlockType>(_ block: Block.Type) {
    tensorType = Block.tensorType
    panelType = Block.panelType
    family = Block.family
    columns = Block.columns
    fileBlockByteCount = Block.fileByteCount
    codeBits = Block.codeBits
    codeOffset = Block.codeOffset
    let codes = Block.columns / 32 &* Block.codeBits &* 64
    let rest =
      switch Block.family {
      case .affine32, .affine16: 320
      case .offset16: 288
      case .offset: 32
      case .affine: 64
      case .float: 0
      }
    panelBlockByteCount = codes &+ rest
    unpack = { Block.unpack(rows: $0, rowStride: $1, rowCount: $2, $3) }
  }
}
