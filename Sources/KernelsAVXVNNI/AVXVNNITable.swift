// The table of AVX-VNNI: AVX2's but for the products.
import Kernels

typealias Vectors = AVX2
typealias Dots = AVXVNNIDots

extension KernelTable {
  /// The kernels of AVX2 with the products of AVX-VNNI.
  public static let avxvnni = Table.kernels(of: .avxvnni)
}

/// The table, for who cannot import this room.
@_silgen_name("kernels_table_avxvnni")
func kernelTable() -> KernelTable { .avxvnni }
