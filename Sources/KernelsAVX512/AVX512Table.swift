// The table of AVX-512. Nothing here may be merged by the linker with code of other modules: every
// kernel inlines into its entry.
import Kernels

extension KernelTable {
  /// Every kernel in AVX-512.
  public static let avx512 = KernelTable(
    name: "avx512", floatRows: AVX512.floatRows,
    quantize256: { Elementwise<AVX512>.quantize256($0, $1, $2) },
    quantize32: { Elementwise<AVX512>.quantize32($0, $1, $2) },
    rmsNorm: { Elementwise<AVX512>.rmsNorm($0, $1, $2, $3, $4, $5) },
    swiGLU: { Elementwise<AVX512>.swiGLU($0, $1, $2) },
    attend: { AVX512Cache.attend($0) },
    store: { AVX512Cache.store($0) },
    product: { AVX512Products.product($0) },
    tiles: { AVX512Products.tiles($0) })
}

/// The products of AVX-512, one C function a panel type.
enum AVX512Products {
  static func product(_ type: PanelType) -> KernelTable.Product {
    switch type {
    case .f32:
      {
        Products<AVX512>.float(F32.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .f16:
      {
        Products<AVX512>.float(F16.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .bf16:
      {
        Products<AVX512>.float(BF16.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_0:
      {
        Products<AVX512>.offset(Codes4.self, Offset8.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_1:
      {
        Products<AVX512>.affine(Codes4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_0:
      {
        Products<AVX512>.offset(Codes5.self, Offset16Codes.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_1:
      {
        Products<AVX512>.affine(Codes5.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q8_0:
      {
        Products<AVX512>.bytes($0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q2_K:
      {
        Products<AVX512>.affine16(Codes2.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q3_K:
      {
        Products<AVX512>.offset16(Codes3.self, Offset4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_K:
      {
        Products<AVX512>.affine32(Codes4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_K:
      {
        Products<AVX512>.affine32(Codes5.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q6_K:
      {
        Products<AVX512>.offset16(Codes6.self, Offset32.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    }
  }

  static func tiles(_ type: PanelType) -> KernelTable.Tiles? {
    switch type {
    case .f32: { Products<AVX512>.tiles(F32.self, $0, $1, $2, $3, $4, $5, $6, $7) }
    case .f16: { Products<AVX512>.tiles(F16.self, $0, $1, $2, $3, $4, $5, $6, $7) }
    case .bf16: { Products<AVX512>.tiles(BF16.self, $0, $1, $2, $3, $4, $5, $6, $7) }
    default: nil
    }
  }
}

/// Attention and the cache in AVX-512, one C function a cache type.
enum AVX512Cache {
  static func attend(_ type: CacheType) -> KernelTable.Attend {
    switch type {
    case .f16: { Attention<AVX512, HalfCache>.attend($0) }
    case .q8_0: { Attention<AVX512, ByteCache>.attend($0) }
    }
  }

  static func store(_ type: CacheType) -> KernelTable.Store {
    switch type {
    case .f16: { HalfCache.store(AVX512.self, $0.assumingMemoryBound(to: CacheEntry.self)) }
    case .q8_0: { ByteCache.store(AVX512.self, $0.assumingMemoryBound(to: CacheEntry.self)) }
    }
  }
}
