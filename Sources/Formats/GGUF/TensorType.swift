// The ggml types of a tensor's weights, by the ids that files carry, with the size of their blocks.
// Source: ggml-org/ggml `include/ggml.h`, `src/ggml-common.h`.

/// Weights of a row in one block of a packed type, and bytes of that block of sixteen rows; nil for
/// types that are not packed.
///
/// The format only numbers these types: whoever lays panels out says their sizes.
package typealias PackedBlock = @Sendable (TensorType) -> (weights: Int, bytes: Int)?

/// How a tensor's weights are stored.
package struct TensorType: RawRepresentable, Hashable, Sendable {
  /// The id in the file; any number.
  package let rawValue: UInt32

  /// The type of an id, known or not.
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let f32 = TensorType(rawValue: 0)
  package static let f16 = TensorType(rawValue: 1)
  package static let q4_0 = TensorType(rawValue: 2)
  package static let q4_1 = TensorType(rawValue: 3)
  package static let q5_0 = TensorType(rawValue: 6)
  package static let q5_1 = TensorType(rawValue: 7)
  package static let q8_0 = TensorType(rawValue: 8)
  package static let q8_1 = TensorType(rawValue: 9)
  package static let q2_K = TensorType(rawValue: 10)
  package static let q3_K = TensorType(rawValue: 11)
  package static let q4_K = TensorType(rawValue: 12)
  package static let q5_K = TensorType(rawValue: 13)
  package static let q6_K = TensorType(rawValue: 14)
  package static let q8_K = TensorType(rawValue: 15)
  package static let iq2_XXS = TensorType(rawValue: 16)
  package static let iq2_XS = TensorType(rawValue: 17)
  package static let iq3_XXS = TensorType(rawValue: 18)
  package static let iq1_S = TensorType(rawValue: 19)
  package static let iq4_NL = TensorType(rawValue: 20)
  package static let iq3_S = TensorType(rawValue: 21)
  package static let iq2_S = TensorType(rawValue: 22)
  package static let iq4_XS = TensorType(rawValue: 23)
  package static let i8 = TensorType(rawValue: 24)
  package static let i16 = TensorType(rawValue: 25)
  package static let i32 = TensorType(rawValue: 26)
  package static let i64 = TensorType(rawValue: 27)
  package static let f64 = TensorType(rawValue: 28)
  package static let iq1_M = TensorType(rawValue: 29)
  package static let bf16 = TensorType(rawValue: 30)
  package static let tq1_0 = TensorType(rawValue: 34)
  package static let tq2_0 = TensorType(rawValue: 35)
  package static let mxfp4 = TensorType(rawValue: 39)
  package static let nvfp4 = TensorType(rawValue: 40)
  package static let q1_0 = TensorType(rawValue: 41)
  package static let q2_0 = TensorType(rawValue: 42)

  /// GGUF's spelling, such as "Q4_K"; "type 139" for an id that is not known.
  package var name: String {
    if isPacked { return unpacked.name + " packed" }
    return description?.name ?? removedName ?? "type \(rawValue)"
  }

  /// Weights that share a scale; 1 for plain numbers; nil for unknown, removed and packed types.
  package var weightsPerBlock: Int? { description?.weights }

  /// Bytes of one block; nil for unknown, removed and packed types.
  package var bytesPerBlock: Int? { description?.bytes }

  /// The upper half of the numbers of packed files' types ("mx"), above the type whose blocks lie
  /// in panels of sixteen rows.
  ///
  /// Other readers of GGUF refuse such a tensor.
  private static let packedBase: UInt32 = 0x6d78_0000

  /// Whether the rows lie in panels of sixteen, as the engine has them in memory.
  package var isPacked: Bool { rawValue & 0xffff_0000 == Self.packedBase }

  /// The type of the same weights in panels.
  package var packed: TensorType { TensorType(rawValue: unpacked.rawValue | Self.packedBase) }

  /// The type of the same weights in rows.
  package var unpacked: TensorType { isPacked ? TensorType(rawValue: rawValue & 0xffff) : self }

  private var description: (name: String, weights: Int, bytes: Int)? {
    switch self {
    case .f32: ("F32", 1, 4)
    case .f16: ("F16", 1, 2)
    case .bf16: ("BF16", 1, 2)
    case .f64: ("F64", 1, 8)
    case .i8: ("I8", 1, 1)
    case .i16: ("I16", 1, 2)
    case .i32: ("I32", 1, 4)
    case .i64: ("I64", 1, 8)
    case .q4_0: ("Q4_0", 32, 18)
    case .q4_1: ("Q4_1", 32, 20)
    case .q5_0: ("Q5_0", 32, 22)
    case .q5_1: ("Q5_1", 32, 24)
    case .q8_0: ("Q8_0", 32, 34)
    case .q8_1: ("Q8_1", 32, 36)
    case .q2_K: ("Q2_K", 256, 84)
    case .q3_K: ("Q3_K", 256, 110)
    case .q4_K: ("Q4_K", 256, 144)
    case .q5_K: ("Q5_K", 256, 176)
    case .q6_K: ("Q6_K", 256, 210)
    case .q8_K: ("Q8_K", 256, 292)
    default: smallType
    }
  }

  private var smallType: (name: String, weights: Int, bytes: Int)? {
    switch self {
    case .iq2_XXS: ("IQ2_XXS", 256, 66)
    case .iq2_XS: ("IQ2_XS", 256, 74)
    case .iq3_XXS: ("IQ3_XXS", 256, 98)
    case .iq1_S: ("IQ1_S", 256, 50)
    case .iq4_NL: ("IQ4_NL", 32, 18)
    case .iq3_S: ("IQ3_S", 256, 110)
    case .iq2_S: ("IQ2_S", 256, 82)
    case .iq4_XS: ("IQ4_XS", 256, 136)
    case .iq1_M: ("IQ1_M", 256, 56)
    case .tq1_0: ("TQ1_0", 256, 54)
    case .tq2_0: ("TQ2_0", 256, 66)
    case .mxfp4: ("MXFP4", 32, 17)
    case .nvfp4: ("NVFP4", 64, 36)
    case .q1_0: ("Q1_0", 128, 18)
    case .q2_0: ("Q2_0", 64, 18)
    default: nil
    }
  }

  /// Types that once were in files; their sizes are of no use any more.
  private var removedName: String? {
    switch rawValue {
    case 4: "Q4_2 (removed)"
    case 5: "Q4_3 (removed)"
    case 31: "Q4_0_4_4 (removed)"
    case 32: "Q4_0_4_8 (removed)"
    case 33: "Q4_0_8_8 (removed)"
    case 36: "IQ4_NL_4_4 (removed)"
    case 37: "IQ4_NL_4_8 (removed)"
    case 38: "IQ4_NL_8_8 (removed)"
    default: nil
    }
  }
}
