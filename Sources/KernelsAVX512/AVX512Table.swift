// The table of AVX-512.
import Kernels

typealias Vectors = AVX512
typealias Dots = AVX512

extension KernelTable {
  /// Every kernel in AVX-512.
  public static let avx512 = Table.kernels(of: .avx512)
}

/// The table, for who cannot import this room.
@_silgen_name("kernels_table_avx512")
func kernelTable() -> KernelTable { .avx512 }
