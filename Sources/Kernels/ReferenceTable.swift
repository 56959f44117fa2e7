// The table that every processor has, and that defines the bits of the others.

extension KernelTable {
  /// Every kernel in plain Swift.
  public static let reference = KernelTable(
    name: "reference", floatRows: Reference.floatRows,
    quantize256: { Elementwise<Reference>.quantize256($0, $1, $2) },
    quantize32: { Elementwise<Reference>.quantize32($0, $1, $2) },
    rmsNorm: { Elementwise<Reference>.rmsNorm($0, $1, $2, $3, $4, $5) },
    swiGLU: { Elementwise<Reference>.swiGLU($0, $1, $2) },
    attend: { ReferenceCache.attend($0) },
    store: { ReferenceCache.store($0) },
    product: { ReferenceProducts.product($0) }, tiles: { _ in nil })
}

/// The products of plain Swift, one C function a panel type.
enum ReferenceProducts {
  static func product(_ type: PanelType) -> KernelTable.Product {
    switch type {
    case .f32:
      {
        Products<Reference>.float(F32.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .f16:
      {
        Products<Reference>.float(F16.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .bf16:
      {
        Products<Reference>.float(BF16.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_0:
      {
        Products<Reference>.offset(Codes4.self, Offset8.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_1:
      {
        Products<Reference>.affine(Codes4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_0:
      {
        Products<Reference>.offset(Codes5.self, Offset16Codes.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_1:
      {
        Products<Reference>.affine(Codes5.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q8_0:
      {
        Products<Reference>.bytes($0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q2_K:
      {
        Products<Reference>.affine16(Codes2.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q3_K:
      {
        Products<Reference>.offset16(Codes3.self, Offset4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q4_K:
      {
        Products<Reference>.affine32(Codes4.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q5_K:
      {
        Products<Reference>.affine32(Codes5.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    case .q6_K:
      {
        Products<Reference>.offset16(Codes6.self, Offset32.self, $0, $1, $2, $3, $4, $5, $6, $7)
      }
    }
  }
}

/// Attention and the cache in plain Swift, one C function a cache type.
enum ReferenceCache {
  static func attend(_ type: CacheType) -> KernelTable.Attend {
    switch type {
    case .f16: { Attention<Reference, HalfCache>.attend($0) }
    case .q8_0: { Attention<Reference, ByteCache>.attend($0) }
    }
  }

  static func store(_ type: CacheType) -> KernelTable.Store {
    switch type {
    case .f16: { HalfCache.store(Reference.self, $0.assumingMemoryBound(to: CacheEntry.self)) }
    case .q8_0: { ByteCache.store(Reference.self, $0.assumingMemoryBound(to: CacheEntry.self)) }
    }
  }
}
