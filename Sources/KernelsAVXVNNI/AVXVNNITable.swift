// The table of AVX-VNNI: AVX2's but for the products. Nothing here may be merged by the linker with
// code of other modules: every kernel inlines into its entry.
import Kernels
import KernelsAVX2

extension KernelTable {
  /// The kernels of AVX2 with the products of AVX-VNNI.
  public static let avxvnni = KernelTable(
    name: "avxvnni", KernelTable.avx2, product: { AVXVNNIProducts.product($0) })
}

/// The products of AVX-VNNI, one C function a panel type.
enum AVXVNNIProducts {
  static func product(_ type: PanelType) -> KernelTable.Product {
    switch type {
    case .f32:
      {
        Products<AVXVNNIDots>.float(F32.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .f16:
      {
        Products<AVXVNNIDots>.float(F16.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .bf16:
      {
        Products<AVXVNNIDots>.float(BF16.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_0:
      {
        Products<AVXVNNIDots>.offset(Codes4.self, Offset8.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_1:
      {
        Products<AVXVNNIDots>.affine(Codes4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_0:
      {
        Products<AVXVNNIDots>.offset(
          Codes5.self, Offset16Codes.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_1:
      {
        Products<AVXVNNIDots>.affine(Codes5.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q8_0:
      {
        Products<AVXVNNIDots>.bytes($0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q2_K:
      {
        Products<AVXVNNIDots>.affine16(Codes2.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q3_K:
      {
        Products<AVXVNNIDots>.offset16(Codes3.self, Offset4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_K:
      {
        Products<AVXVNNIDots>.affine32(Codes4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_K:
      {
        Products<AVXVNNIDots>.affine32(Codes5.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q6_K:
      {
        Products<AVXVNNIDots>.offset16(Codes6.self, Offset32.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    }
  }
}
