// Float activations as the products of plain values want them. A product of several rows takes one
// value of each row a column, and rows that lie one after the other give it as many places to read
// from: it is faster where the values that it takes together lie together, in the order in which it
// takes them (the figures: FloatTiles.swift).

/// How some rows of float activations that one product reads lie in memory.
///
/// Rows are `stride` floats apart. The first `bundled(count)` of `count` rows share their memory:
/// for each stretch of columns, each of the four chains (column modulo 4), each bundle of
/// `rowBundle` rows and each column of the chain the values of the bundle's rows. The rows after
/// them lie as they are.
public struct FloatRows: Sendable {
  /// Rows of a bundle, 1 for none.
  public let rowBundle: Int

  public init(rowBundle: Int) { self.rowBundle = rowBundle }

  /// Columns of a stretch, a multiple of four.
  @inlinable @inline(__always) public static var stretch: Int { 1024 }

  /// Rows that meet an unpacked stretch of a panel before the next stretch is unpacked.
  @inlinable @inline(__always) static var rowsTogether: Int { 264 }

  /// Bytes of one chain's columns of an unpacked stretch.
  @inlinable @inline(__always) static var valuesByteCount: Int { stretch / 4 * 64 }

  /// Bytes that a product of row bundles works in, aligned to 64: the stretch, and four sums
  /// of each row.
  public static var workspaceByteCount: Int { valuesByteCount + rowsTogether * 4 * 64 }

  /// How many of `count` rows are bundled: none of less than two bundles, which wait for the
  /// weights and not for the activations.
  @inlinable @inline(__always)
  public func bundled(_ count: Int) -> Int {
    rowBundle == 1 || count < 2 &* rowBundle ? 0 : count / rowBundle &* rowBundle
  }

  /// Columns of `chain` in a stretch of `columns`.
  @inlinable @inline(__always)
  static func count(of chain: Int, in columns: Int) -> Int { (columns + 3 - chain) >> 2 }

  /// Puts row `row` of `count` where the product of `count` rows from `rows` on reads it.
  ///
  /// SAFETY: `x` has `columns` values, `columns` is at most `stride`, and `rows` has room for
  /// `count` rows.
  public func place(
    _ x: UnsafePointer<Float>, columns: Int, row: Int, of count: Int,
    _ rows: UnsafeMutablePointer<Float>, stride: Int
  ) {
    let bundled = bundled(count)
    guard row < bundled else {
      UnsafeMutableRawPointer(rows + row * stride).copyMemory(from: x, byteCount: columns * 4)
      return
    }
    var out = rows
    for first in Swift.stride(from: 0, to: columns, by: Self.stretch) {
      let stretch = min(Self.stretch, columns - first)
      for chain in 0..<4 {
        let count = Self.count(of: chain, in: stretch)
        let values = x + (first + chain)
        let places = out + (row / rowBundle * count * rowBundle + row % rowBundle)
        for column in 0..<count { places[column * rowBundle] = values[column * 4] }
        out += bundled * count
      }
    }
  }
}
