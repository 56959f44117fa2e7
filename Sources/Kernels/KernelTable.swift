// A table is all kernels of one instruction set, as plain function pointers. Every table gives the
// bits of `reference`. Adding a block type: its panel type here, one line in each of the four
// tables.

/// The types of panel that have a product.
public enum PanelType: Int, CaseIterable, Sendable {
  case f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q2_K, q3_K, q4_K, q5_K, q6_K
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
  /// (weights, panelCount, columnCount, activations, rowCount, out, outStride, workspace): plain
  /// values times interleaved rows; `FloatRows` says how these lie and what the workspace is.
  public typealias Tiles =
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

  /// "reference", "avx2", "avxvnni" or "avx512".
  public let name: String
  /// How the products of plain values want their activations.
  public let floatRows: FloatRows
  /// Indexed by `PanelType.rawValue`.
  let products: [Product]
  let tiles: [Tiles?]
  public let quantize256: Quantize
  public let quantize32: Quantize
  public let rmsNorm: Norm
  public let swiGLU: SwiGLU
  /// Indexed by `CacheType.rawValue`.
  let attends: [Attend]
  let stores: [Store]

  public init(
    name: String, floatRows: FloatRows, quantize256: @escaping Quantize,
    quantize32: @escaping Quantize, rmsNorm: @escaping Norm, swiGLU: @escaping SwiGLU,
    attend: (CacheType) -> Attend, store: (CacheType) -> Store, product: (PanelType) -> Product,
    tiles: (PanelType) -> Tiles?
  ) {
    self.name = name
    self.floatRows = floatRows
    self.quantize256 = quantize256
    self.quantize32 = quantize32
    self.rmsNorm = rmsNorm
    self.swiGLU = swiGLU
    attends = CacheType.allCases.map(attend)
    stores = CacheType.allCases.map(store)
    products = PanelType.allCases.map(product)
    self.tiles = PanelType.allCases.map(tiles)
  }

  /// The kernels of another table with other products.
  public init(name: String, _ other: KernelTable, product: (PanelType) -> Product) {
    self.init(
      name: name, floatRows: other.floatRows, quantize256: other.quantize256,
      quantize32: other.quantize32, rmsNorm: other.rmsNorm, swiGLU: other.swiGLU,
      attend: other.attend, store: other.store, product: product, tiles: other.tiles)
  }

  /// The product of panels of `type`; looked up once, at load.
  public func product(_ type: PanelType) -> Product { products[type.rawValue] }

  /// The product of panels of `type` and interleaved rows: none for codes, and where rows are not
  /// interleaved.
  public func tiles(_ type: PanelType) -> Tiles? { tiles[type.rawValue] }

  /// Attention over pages of `type`.
  public func attend(_ type: CacheType) -> Attend { attends[type.rawValue] }

  /// Writes to pages of `type`.
  public func store(_ type: CacheType) -> Store { stores[type.rawValue] }
}
