// The shape of every product, and the loop over it: one panel times a few rows of activations, so
// that each unpacked code is used once for each row. A panel is read front to back, once for one
// row, and stays in the first cache while the rows of a prompt pass by.
//
// Integer sums are exact and the float sum of one output is one chain in the order of the blocks,
// so every number of rows gives the same bits.
//
// Tried for one row (Zen 5, one thread, a machine with neighbours, median share of the reading
// floor of Q4_K and Q6_K): a prefetch 3 KB ahead 75 and 71 %, 4.5 KB 86 and 77, 6 KB 93 and 86, 8
// KB 93 and 85, 12 KB 89 and 85, 24 KB 89 and 81; into the second cache only 72 and 71. The lines
// of two groups asked for at once instead of group by group: 85 instead of 89 % (12 KB).

/// A product of one panel layout in one instruction set with a fixed number of rows.
public protocol ProductShape {
  /// Bytes of one block (or, of float matrices, of one column) of a panel.
  static var blockByteCount: Int { get }
  /// Rows of activations; the values of `out` are [rows][16].
  static var rows: Int { get }
  /// `streams`: the panel comes from memory, so what follows is asked for ahead.
  static func run(
    _ weights: UnsafeRawPointer, blocks: Int, _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool)
}

/// The numbers of rows that an instruction set has registers for, besides one.
public protocol TileSizes {
  static var rows8: Bool { get }
  static var rows4: Bool { get }
  static var rows2: Bool { get }
}

/// Multiplies `panelCount` panels of `blocks` blocks with `rowCount` rows of activations.
///
/// `out` takes sixteen floats a panel, `outStride` floats from row to row.
@inlinable @inline(__always)
public func forEachTile<
  Sizes: TileSizes, Tile1: ProductShape, Tile8: ProductShape, Tile4: ProductShape,
  Tile2: ProductShape
>(
  _ sizes: Sizes.Type, _ tile1: Tile1.Type, _ tile8: Tile8.Type, _ tile4: Tile4.Type,
  _ tile2: Tile2.Type,
  _ weights: UnsafeRawPointer, _ panelCount: Int, _ blocks: Int,
  _ activations: UnsafeRawPointer, _ rowCount: Int, _ rowStride: Int,
  _ out: UnsafeMutablePointer<Float>, _ outStride: Int
) {
  for panel in 0..<panelCount {
    let w = weights + panel * blocks * Tile1.blockByteCount
    let o = out + panel * 16
    var row = 0
    if Sizes.rows8 { tiles(tile8, w, blocks, activations, rowStride, o, outStride, &row, rowCount) }
    if Sizes.rows4 { tiles(tile4, w, blocks, activations, rowStride, o, outStride, &row, rowCount) }
    if Sizes.rows2 { tiles(tile2, w, blocks, activations, rowStride, o, outStride, &row, rowCount) }
    tiles(tile1, w, blocks, activations, rowStride, o, outStride, &row, rowCount)
  }
}

/// As many tiles of one shape as fit into the rows that are left.
@inlinable @inline(__always)
public func tiles<Tile: ProductShape>(
  _ tile: Tile.Type, _ weights: UnsafeRawPointer, _ blocks: Int, _ activations: UnsafeRawPointer,
  _ rowStride: Int, _ out: UnsafeMutablePointer<Float>, _ outStride: Int, _ row: inout Int,
  _ rowCount: Int
) {
  while row + Tile.rows <= rowCount {
    Tile.run(
      weights, blocks: blocks, activations + row * rowStride, rowStride: rowStride,
      out + row * outStride, outStride: outStride, streams: row == 0)
    row += Tile.rows
  }
}

/// Writes the sixteen outputs of each row.
@inlinable @inline(__always)
public func store<ISA: ProductISA, let M: Int>(
  _ isa: ISA.Type, _ outputs: InlineArray<M, ISA.Outputs>, _ out: UnsafeMutablePointer<Float>,
  _ outStride: Int
) {
  for part in 0..<ISA.parts {
    for m in 0..<M {
      ISA.storeFloats(out + (m * outStride + part * ISA.lanes), ISA.output(outputs[m], part))
    }
  }
}
