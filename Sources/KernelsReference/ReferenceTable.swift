// The table that every processor has, and that defines the bits of the others.
import Kernels

typealias Vectors = Reference
typealias Dots = Reference

extension KernelTable {
  /// Every kernel in plain Swift.
  public static let reference = Table.kernels(of: .reference)
}
