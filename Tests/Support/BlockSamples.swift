// Rows of quantised blocks as a file holds them, for tests that need any valid weights: random
// codes with scales of a chosen kind. Where the parts of a block lie is written here anew, from
// ggml's structures, so that it can disagree with the engine.
import Formats

/// Where a type's half-precision scales and its codes lie in a block.
package struct BlockParts: Sendable {
  package let type: TensorType
  /// Columns and bytes of a block.
  package let columns: Int
  package let byteCount: Int
  /// Offsets of the half-precision scales.
  package let halves: [Int]
  /// The bytes that are codes and nothing else.
  package let codes: [Range<Int>]
  /// Whether a value is a multiple of its code, without a minimum added.
  package let hasMinimum: Bool

  /// Every type of block; float types have none.
  package static let all: [BlockParts] = [
    BlockParts(.q4_0, 32, 18, [0], [2..<18], false),
    BlockParts(.q4_1, 32, 20, [0, 2], [4..<20], true),
    BlockParts(.q5_0, 32, 22, [0], [2..<22], false),
    BlockParts(.q5_1, 32, 24, [0, 2], [4..<24], true),
    BlockParts(.q8_0, 32, 34, [0], [2..<34], false),
    BlockParts(.q2_K, 256, 84, [80, 82], [16..<80], true),
    BlockParts(.q3_K, 256, 110, [108], [0..<96], false),
    BlockParts(.q4_K, 256, 144, [0, 2], [16..<144], true),
    BlockParts(.q5_K, 256, 176, [0, 2], [16..<176], true),
    BlockParts(.q6_K, 256, 210, [208], [0..<192], false),
    BlockParts(.iq4_NL, 32, 18, [0], [2..<18], false),
    BlockParts(.iq4_XS, 256, 136, [0], [8..<136], false),
  ]

  /// The parts of a type; nil for plain values.
  package static func of(_ type: TensorType) -> BlockParts? { all.first { $0.type == type } }

  private init(
    _ type: TensorType, _ columns: Int, _ byteCount: Int, _ halves: [Int], _ codes: [Range<Int>],
    _ hasMinimum: Bool
  ) {
    (self.type, self.columns, self.byteCount) = (type, columns, byteCount)
    (self.halves, self.codes, self.hasMinimum) = (halves, codes, hasMinimum)
  }
}

/// The kinds of numbers that rows of blocks are filled with.
package enum BlockSample: Sendable {
  /// Random codes; scales of random sign up to `scale`, never near zero.
  case random(scale: Float)
  /// Every byte but the scales; the scales.
  case filled(UInt8, Float16)

  /// `blockCount` blocks of a type as the file has them.
  package func blocks(
    _ parts: BlockParts, count: Int, using random: inout SeededGenerator
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count * parts.byteCount)
    switch self {
    case .random:
      for i in bytes.indices { bytes[i] = UInt8(truncatingIfNeeded: random.next() >> 32) }
    case .filled(let byte, _):
      for i in bytes.indices { bytes[i] = byte }
    }
    for block in 0..<count {
      for offset in parts.halves {
        let bits = half(using: &random).bitPattern
        bytes[block * parts.byteCount + offset] = UInt8(truncatingIfNeeded: bits)
        bytes[block * parts.byteCount + offset + 1] = UInt8(truncatingIfNeeded: bits >> 8)
      }
    }
    return bytes
  }

  /// `count` values of a float type as the file has them.
  package func values(
    _ type: TensorType, count: Int, using random: inout SeededGenerator
  ) -> [UInt8] {
    var builder = ByteBuilder()
    for _ in 0..<count {
      let value = single(using: &random)
      switch type {
      case .f32: builder.integer(value.bitPattern)
      case .bf16: builder.integer(UInt16(truncatingIfNeeded: value.bitPattern >> 16))
      default: builder.integer(Float16(value).bitPattern)
      }
    }
    return builder.bytes
  }

  /// `columns` columns of any type with kernels.
  package func row(
    _ type: TensorType, columns: Int, using random: inout SeededGenerator
  ) -> [UInt8] {
    guard let parts = BlockParts.of(type) else {
      return values(type, count: columns, using: &random)
    }
    return blocks(parts, count: columns / parts.columns, using: &random)
  }

  private func half(using random: inout SeededGenerator) -> Float16 {
    switch self {
    case .filled(_, let scale): scale
    case .random(let scale):
      Float16(
        (Float.random(in: 0.2...1, using: &random)) * (Bool.random(using: &random) ? scale : -scale)
      )
    }
  }

  private func single(using random: inout SeededGenerator) -> Float {
    switch self {
    case .filled(_, let scale): Float(scale)
    case .random(let scale): Float.random(in: -scale...scale, using: &random)
    }
  }
}
