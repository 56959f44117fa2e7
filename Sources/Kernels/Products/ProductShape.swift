// The two shapes of every product, and the loop over them.
//
// Row: one row of activations, several panels side by side, so that their independent sums hide the
// latency of the products while the panels stream from memory. Tile: one panel and several rows of
// activations, so that each unpacked code is used once for each row. Integer sums are exact and the
// float sum of one output is one chain in the order of the blocks, so every shape gives the same bits.

/// A product of one panel layout in one instruction set: outputs of sixteen rows a panel.
public protocol ProductShape {
  /// Bytes of one block (or, of float matrices, of one column) of a panel.
  static var blockByteCount: Int { get }
  /// Bytes of activations that meet one block.
  static var activationByteCount: Int { get }
  static var panels: Int { get }
  static var rows: Int { get }
  /// `panels` x `rows` outputs; one of the two counts is 1.
  static func run(
    _ weights: UnsafeRawPointer, panelStride: Int, blocks: Int,
    _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int)
}

/// The sizes of tile that an instruction set has registers for.
public protocol TileSizes {
  static var rows8: Bool { get }
  static var rows4: Bool { get }
  static var rows2: Bool { get }
  static var panels4: Bool { get }
  static var panels2: Bool { get }
}

/// Multiplies `panelCount` panels of `blocks` blocks with `rowCount` rows of activations.
///
/// `out` takes sixteen floats a panel, `outStride` floats from row to row.
@inlinable @inline(__always)
public func forEachTile<
  Sizes: TileSizes, Row4: ProductShape, Row2: ProductShape, Row1: ProductShape,
  Tile8: ProductShape, Tile4: ProductShape, Tile2: ProductShape
>(
  _ sizes: Sizes.Type, _ row4: Row4.Type, _ row2: Row2.Type, _ row1: Row1.Type,
  _ tile8: Tile8.Type, _ tile4: Tile4.Type, _ tile2: Tile2.Type,
  _ weights: UnsafeRawPointer, _ panelCount: Int, _ blocks: Int,
  _ activations: UnsafeRawPointer, _ rowCount: Int, _ rowStride: Int,
  _ out: UnsafeMutablePointer<Float>, _ outStride: Int
) {
  let panelStride = blocks &* Row1.blockByteCount
  var panel = 0
  if rowCount == 1 {
    if Sizes.panels4 {
      while panel &+ Row4.panels <= panelCount {
        Row4.run(
          weights + panel &* panelStride, panelStride: panelStride, blocks: blocks,
          activations, rowStride: rowStride, out + panel &* 16, outStride: outStride)
        panel &+= Row4.panels
      }
    }
    if Sizes.panels2 {
      while panel &+ Row2.panels <= panelCount {
        Row2.run(
          weights + panel &* panelStride, panelStride: panelStride, blocks: blocks,
          activations, rowStride: rowStride, out + panel &* 16, outStride: outStride)
        panel &+= Row2.panels
      }
    }
  }
  while panel < panelCount {
    let w = weights + panel &* panelStride
    let o = out + panel &* 16
    var row = 0
    if Sizes.rows8 {
      while row &+ Tile8.rows <= rowCount {
        Tile8.run(
          w, panelStride: panelStride, blocks: blocks, activations + row &* rowStride,
          rowStride: rowStride, o + row &* outStride, outStride: outStride)
        row &+= Tile8.rows
      }
    }
    if Sizes.rows4 {
      while row &+ Tile4.rows <= rowCount {
        Tile4.run(
          w, panelStride: panelStride, blocks: blocks, activations + row &* rowStride,
          rowStride: rowStride, o + row &* outStride, outStride: outStride)
        row &+= Tile4.rows
      }
    }
    if Sizes.rows2 {
      while row &+ Tile2.rows <= rowCount {
        Tile2.run(
          w, panelStride: panelStride, blocks: blocks, activations + row &* rowStride,
          rowStride: rowStride, o + row &* outStride, outStride: outStride)
        row &+= Tile2.rows
      }
    }
    while row < rowCount {
      Row1.run(
        w, panelStride: panelStride, blocks: blocks, activations + row &* rowStride,
        rowStride: rowStride, o + row &* outStride, outStride: outStride)
      row &+= 1
    }
    panel &+= 1
  }
}
