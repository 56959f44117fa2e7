// The table of AVX2. Nothing here may be merged by the linker with code of other modules: every
// kernel inlines into its entry.
import Kernels

extension AVX2: TileSizes {
  @inline(__always) static var rows8: Bool { false }
  @inline(__always) static var rows4: Bool { false }
  @inline(__always) static var rows2: Bool { true }
}

extension KernelTable {
  /// Every kernel in AVX2.
  public static let avx2 = KernelTable(
    name: "avx2", floatRows: AVX2Dots.floatRows,
    quantize256: { Elementwise<AVX2>.quantize256($0, $1, $2) },
    quantize32: { Elementwise<AVX2>.quantize32($0, $1, $2) },
    rmsNorm: { Elementwise<AVX2>.rmsNorm($0, $1, $2, $3, $4, $5) },
    swiGLU: { Elementwise<AVX2>.swiGLU($0, $1, $2) },
    attend: { AVX2Cache.attend($0) },
    store: { AVX2Cache.store($0) },
    product: { AVX2Products.product($0) },
    tiles: { AVX2Products.tiles($0) })
}

/// The products of AVX2, one C function a panel type.
enum AVX2Products {
  static func product(_ type: PanelType) -> KernelTable.Product {
    switch type {
    case .f32:
      {
        Products<AVX2Dots>.float(F32.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .f16:
      {
        Products<AVX2Dots>.float(F16.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .bf16:
      {
        Products<AVX2Dots>.float(BF16.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_0:
      {
        Products<AVX2Dots>.offset(Codes4.self, Offset8.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_1:
      {
        Products<AVX2Dots>.affine(Codes4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_0:
      {
        Products<AVX2Dots>.offset(Codes5.self, Offset16Codes.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_1:
      {
        Products<AVX2Dots>.affine(Codes5.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q8_0:
      {
        Products<AVX2Dots>.bytes($0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q2_K:
      {
        Products<AVX2Dots>.affine16(Codes2.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q3_K:
      {
        Products<AVX2Dots>.offset16(Codes3.self, Offset4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_K:
      {
        Products<AVX2Dots>.affine32(Codes4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_K:
      {
        Products<AVX2Dots>.affine32(Codes5.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q6_K:
      {
        Products<AVX2Dots>.offset16(Codes6.self, Offset32.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    }
  }

  static func tiles(_ type: PanelType) -> KernelTable.Tiles? {
    switch type {
    case .f32: { Products<AVX2Dots>.tiles(F32.self, $0, $1, $2, $3, $4, $5, $6, $7) }
    case .f16: { Products<AVX2Dots>.tiles(F16.self, $0, $1, $2, $3, $4, $5, $6, $7) }
    case .bf16: { Products<AVX2Dots>.tiles(BF16.self, $0, $1, $2, $3, $4, $5, $6, $7) }
    default: nil
    }
  }
}

/// Attention and the cache in AVX2, one C function a cache type.
enum AVX2Cache {
  static func attend(_ type: CacheType) -> KernelTable.Attend {
    switch type {
    case .f16: { Attention<AVX2, HalfCache>.attend($0) }
    case .q8_0: { Attention<AVX2, ByteCache>.attend($0) }
    }
  }

  static func store(_ type: CacheType) -> KernelTable.Store {
    switch type {
    case .f16: { HalfCache.store(AVX2.self, $0.assumingMemoryBound(to: CacheEntry.self)) }
    case .q8_0: { ByteCache.store(AVX2.self, $0.assumingMemoryBound(to: CacheEntry.self)) }
    }
  }
}
