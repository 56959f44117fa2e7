// The table that every processor has, and that defines the bits of the others.
import Kernels

typealias Vectors = Reference
typealias Dots = Reference

extension KernelTable {
  /// Every kernel in plain Swift.
  public static let reference = Table.kernels(of: .reference)
}

/// The table, for who cannot import this room.
@_silgen_name("kernels_table_reference")
func kernelTable() -> KernelTable { .reference }
