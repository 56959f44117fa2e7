// Files name packed types by sizes that only this room knows.
import Formats
import Quantization
import Testing

@Suite("packed types")
struct PackedTypeTests {
  @Test("a packed type's block is that of the panels", arguments: PanelFormat.formats.indices)
  func sizes(index: Int) {
    let format = PanelFormat.formats[index]
    let packed = format.tensorType.packed
    #expect(packed.isPacked && !format.tensorType.isPacked)
    #expect(packed.unpacked == format.tensorType && packed.packed == packed)
    #expect(packed.weightsPerBlock == format.columns)
    #expect(packed.bytesPerBlock == format.panelBlockByteCount)
    #expect(packed.name == format.tensorType.name + " packed")
  }

  @Test("types without kernels have no packed form")
  func unknown() {
    for type in [TensorType.iq4_NL, .i32, .f64, TensorType(rawValue: 4)] {
      #expect(type.packed.bytesPerBlock == nil && type.packed.weightsPerBlock == nil)
    }
  }
}
