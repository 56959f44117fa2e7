// The table of the dot product of bytes: NEON's but for the products.
import Kernels

typealias Vectors = NEON
typealias Dots = DotProdDots

extension KernelTable {
  /// The kernels of NEON with the products of sdot.
  public static let dotProd = Table.kernels(of: .dotProd)
}

/// The table, for who cannot import this room.
@_silgen_name("kernels_table_dotprod")
func kernelTable() -> KernelTable { .dotProd }
