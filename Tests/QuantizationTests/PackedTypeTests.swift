// Files number packed types, whose sizes only this room knows.
import Formats
import Kernels
import Quantization
import Testing

@Suite("packed types")
struct PackedTypeTests {
  @Test("a format a panel type, in their order")
  func everyType() {
    #expect(PanelFormat.formats.map(\.panelType) == PanelType.allCases)
  }

  /// The sizes of panels when they were first written to files: a file of then must still be read.
  @Test(
    "sizes of packed blocks are those of the files that exist",
    arguments: [
      (TensorType.f32, 1, 64), (.f16, 1, 32), (.bf16, 1, 32), (.q4_0, 32, 288), (.q4_1, 32, 320),
      (.q5_0, 32, 352), (.q5_1, 32, 384), (.q8_0, 32, 544), (.q2_K, 256, 1344), (.q3_K, 256, 1824),
      (.q4_K, 256, 2368), (.q5_K, 256, 2880), (.q6_K, 256, 3360),
      (.iq4_NL, 32, 288), (.iq4_XS, 256, 2208),
    ])
  func layout(type: TensorType, weights: Int, bytes: Int) throws {
    let block = try #require(PanelFormat.packedBlock(type.packed))
    #expect(block == (weights, bytes))
  }

  @Test("a packed type's block is that of the panels", arguments: PanelFormat.formats.indices)
  func sizes(index: Int) {
    let format = PanelFormat.formats[index]
    let packed = format.tensorType.packed
    #expect(packed.isPacked && !format.tensorType.isPacked)
    #expect(packed.unpacked == format.tensorType && packed.packed == packed)
    let block = PanelFormat.packedBlock(packed)
    #expect(block?.weights == format.columns)
    #expect(block?.bytes == format.panelBlockByteCount)
    #expect(packed.name == format.tensorType.name + " packed")
  }

  @Test("types without kernels have no packed form")
  func unknown() {
    for type in [TensorType.iq1_S, .i32, .f64, TensorType(rawValue: 4)] {
      #expect(PanelFormat.packedBlock(type.packed) == nil)
      #expect(type.packed.bytesPerBlock == nil && type.packed.weightsPerBlock == nil)
    }
  }
}
