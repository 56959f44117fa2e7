// A table is all kernels of one instruction set, as plain function pointers. Every table gives the
// bits of `reference`. The text of all tables is KernelsReference/Table.swift.

/// The instruction sets that have a table, by the names that users read; of each architecture the
/// plainest first.
public enum InstructionSet: String, CaseIterable, Sendable {
  case reference, avx2, avxvnni, avx512, neon
  case dotProd = "dotprod"
  case i8mm
}

/// The kernels of panels of one type.
public struct PanelKernels: Sendable {
  @usableFromInline let product: KernelTable.Product
  @usableFromInline let tile: KernelTable.Tile
  @usableFromInline let bundled: KernelTable.BundledProduct?

  @inlinable @inline(__always)
  public init(
    _ product: @escaping KernelTable.Product, _ tile: @escaping KernelTable.Tile,
    bundled: KernelTable.BundledProduct? = nil
  ) {
    self.product = product
    self.tile = tile
    self.bundled = bundled
  }
}

/// The kernels of one instruction set.
public struct KernelTable: Sendable {
  /// (weights, panelCount, blockCount, activations, rowCount, rowStride, out, outStride): rowCount
  /// rows of activations, `rowStride` bytes apart, times panelCount panels of blockCount blocks;
  /// sixteen outputs a panel, rows `outStride` floats apart.
  ///
  /// See `forEachTile`.
  public typealias Product =
    @convention(c) (
      UnsafeRawPointer, Int, Int, UnsafeRawPointer, Int, Int, UnsafeMutablePointer<Float>, Int
    ) -> Void
  /// (weights, blockCount, out): blockCount blocks of one panel as floats, out[column][row], which
  /// is a panel of F32; plain values are blocks of one column.
  ///
  /// Each value is that of the type's formula, rounded once; `out` is 16 x columns floats.
  public typealias Tile =
    @convention(c) (UnsafeRawPointer, Int, UnsafeMutablePointer<Float>) -> Void
  /// (weights, panelCount, columnCount, activations, rowCount, out, outStride, workspace): plain
  /// values times row bundles; `FloatRows` says how these lie and what the workspace is.
  public typealias BundledProduct =
    @convention(c) (
      UnsafeRawPointer, Int, Int, UnsafeRawPointer, Int, UnsafeMutablePointer<Float>, Int,
      UnsafeMutableRawPointer
    ) -> Void
  /// (x, blockCount, out).
  public typealias Quantize =
    @convention(c) (UnsafePointer<Float>, Int, UnsafeMutableRawPointer) -> Void
  /// (x, weight, vectors, width, epsilon, out).
  public typealias Norm =
    @convention(c) (
      UnsafePointer<Float>, UnsafePointer<Float>, Int, Int, Float, UnsafeMutablePointer<Float>
    ) -> Void
  /// (gate, up, vectors).
  public typealias SwiGLU =
    @convention(c) (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void
  /// (AttentionPage).
  public typealias Attend = @convention(c) (UnsafeRawPointer) -> Void
  /// (CacheEntry).
  public typealias Store = @convention(c) (UnsafeRawPointer) -> Void

  public let instructionSet: InstructionSet
  /// How the products of plain values want their activations.
  public let floatRows: FloatRows
  public let quantize256: Quantize
  public let quantize32: Quantize
  public let rmsNorm: Norm
  public let swiGLU: SwiGLU
  /// The kernels of sampling over a vocabulary.
  public let scores: ScoreKernels
  /// Indexed by `CacheType.rawValue`.
  let attends: [Attend]
  let stores: [Store]
  /// Indexed by `PanelType.rawValue`.
  let panels: [PanelKernels]

  public init(
    _ instructionSet: InstructionSet, floatRows: FloatRows, quantize256: @escaping Quantize,
    quantize32: @escaping Quantize, rmsNorm: @escaping Norm, swiGLU: @escaping SwiGLU,
    scores: ScoreKernels, attend: (CacheType) -> Attend, store: (CacheType) -> Store,
    panels: (PanelType) -> PanelKernels
  ) {
    self.instructionSet = instructionSet
    self.floatRows = floatRows
    self.quantize256 = quantize256
    self.quantize32 = quantize32
    self.rmsNorm = rmsNorm
    self.swiGLU = swiGLU
    self.scores = scores
    attends = CacheType.allCases.map(attend)
    stores = CacheType.allCases.map(store)
    self.panels = PanelType.allCases.map(panels)
  }

  /// The name of its instruction set.
  public var name: String { instructionSet.rawValue }

  /// The product of panels of `type`; looked up once, at load.
  public func product(_ type: PanelType) -> Product { panels[type.rawValue].product }

  /// The values of panels of `type`.
  public func tile(_ type: PanelType) -> Tile { panels[type.rawValue].tile }

  /// The product of panels of `type` and row bundles: none for codes, and where rows are not
  /// bundled.
  public func bundledProduct(_ type: PanelType) -> BundledProduct? {
    floatRows.rowBundle == 1 ? nil : panels[type.rawValue].bundled
  }

  /// Attention over pages of `type`.
  public func attend(_ type: CacheType) -> Attend { attends[type.rawValue] }

  /// Writes to pages of `type`.
  public func store(_ type: CacheType) -> Store { stores[type.rawValue] }
}
