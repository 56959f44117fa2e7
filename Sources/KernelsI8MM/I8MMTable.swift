// The table of the products of unsigned and signed bytes: NEON's but for the products.
import Kernels

typealias Vectors = NEON
typealias Dots = I8MMDots

extension KernelTable {
  /// The kernels of NEON with the products of I8MM.
  public static let i8mm = Table.kernels(of: .i8mm)
}

/// The table, for who cannot import this room.
@_silgen_name("kernels_table_i8mm")
func kernelTable() -> KernelTable { .i8mm }
