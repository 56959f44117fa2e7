// The table of NEON.
import Kernels

typealias Vectors = NEON
typealias Dots = NEONDots

extension KernelTable {
  /// Every kernel in plain NEON.
  public static let neon = Table.kernels(of: .neon)
}

/// The table, for who cannot import this room.
@_silgen_name("kernels_table_neon")
func kernelTable() -> KernelTable { .neon }
