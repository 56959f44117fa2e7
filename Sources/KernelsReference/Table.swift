// The table of one instruction set: one text that every room of kernels compiles for itself, the
// others through a symbolic link, with `Vectors` and `Dots` beside it. C functions come of closures
// with concrete types alone, and every kernel inlines into its closure: nothing here may be merged
// by the linker with code of another room.
import Kernels

/// The kernels of `Vectors` and `Dots`.
enum Table {
  static func kernels(of set: InstructionSet) -> KernelTable {
    KernelTable(
      set, floatRows: Dots.floatRows,
      quantize256: { Elementwise<Vectors>.quantize256($0, $1, $2) },
      quantize32: { Elementwise<Vectors>.quantize32($0, $1, $2) },
      rmsNorm: { Elementwise<Vectors>.rmsNorm($0, $1, $2, $3, $4, $5) },
      swiGLU: { Elementwise<Vectors>.swiGLU($0, $1, $2) },
      scores: ScoreKernels(
        scan: { Scoring<Vectors>.scan($0) }, weigh: { Scoring<Vectors>.weigh($0) },
        estimate: { Scoring<Vectors>.estimate($0) }, mass: { Scoring<Vectors>.mass($0) },
        collect: { Scoring<Vectors>.collect($0) }),
      attend: { attend($0) }, store: { store($0) }, panels: { panels($0) })
  }

  /// A line a panel type: its product, its values, and of plain values the product of row bundles.
  private static func panels(_ type: PanelType) -> PanelKernels {
    switch type {
    case .f32:
      PanelKernels(
        { F32.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { F32.tile(Dots.self, $0, $1, $2) },
        bundled: { F32.bundled(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) })
    case .f16:
      PanelKernels(
        { F16.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { F16.tile(Dots.self, $0, $1, $2) },
        bundled: { F16.bundled(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) })
    case .bf16:
      PanelKernels(
        { BF16.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { BF16.tile(Dots.self, $0, $1, $2) },
        bundled: { BF16.bundled(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) })
    case .q4_0:
      PanelKernels(
        { PanelQ4_0.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ4_0.tile(Dots.self, $0, $1, $2) })
    case .q4_1:
      PanelKernels(
        { PanelQ4_1.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ4_1.tile(Dots.self, $0, $1, $2) })
    case .q5_0:
      PanelKernels(
        { PanelQ5_0.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ5_0.tile(Dots.self, $0, $1, $2) })
    case .q5_1:
      PanelKernels(
        { PanelQ5_1.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ5_1.tile(Dots.self, $0, $1, $2) })
    case .q8_0:
      PanelKernels(
        { PanelQ8_0.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ8_0.tile(Dots.self, $0, $1, $2) })
    case .q2_K:
      PanelKernels(
        { PanelQ2_K.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ2_K.tile(Dots.self, $0, $1, $2) })
    case .q3_K:
      PanelKernels(
        { PanelQ3_K.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ3_K.tile(Dots.self, $0, $1, $2) })
    case .q4_K:
      PanelKernels(
        { PanelQ4_K.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ4_K.tile(Dots.self, $0, $1, $2) })
    case .q5_K:
      PanelKernels(
        { PanelQ5_K.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ5_K.tile(Dots.self, $0, $1, $2) })
    case .q6_K:
      PanelKernels(
        { PanelQ6_K.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelQ6_K.tile(Dots.self, $0, $1, $2) })
    case .iq4_NL:
      PanelKernels(
        { PanelIQ4_NL.product(Dots.self, $0, $1, $2, $3, $4, $5, $6, $7) },
        { PanelIQ4_NL.tile(Dots.self, $0, $1, $2) })
    }
  }

  private static func attend(_ type: CacheType) -> KernelTable.Attend {
    switch type {
    case .f16: { Attention<Vectors, HalfCache>.attend($0) }
    case .q8_0: { Attention<Vectors, ByteCache>.attend($0) }
    }
  }

  private static func store(_ type: CacheType) -> KernelTable.Store {
    switch type {
    case .f16: { HalfCache.store(Vectors.self, $0.assumingMemoryBound(to: CacheEntry.self)) }
    case .q8_0: { ByteCache.store(Vectors.self, $0.assumingMemoryBound(to: CacheEntry.self)) }
    }
  }
}
