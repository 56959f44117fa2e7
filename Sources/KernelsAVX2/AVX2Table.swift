// The table of AVX2.
import Kernels

typealias Vectors = AVX2
typealias Dots = AVX2Dots

extension KernelTable {
  /// Every kernel in AVX2.
  public static let avx2 = Table.kernels(of: .avx2)
}

/// The table, for who cannot import this room.
@_silgen_name("kernels_table_avx2")
func kernelTable() -> KernelTable { .avx2 }
