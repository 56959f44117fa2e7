// Copies of plain values.
import Platform

extension UnsafeMutablePointer where Pointee: BitwiseCopyable {
  /// Copies `count` values from `source`; the two may overlap.
  ///
  /// `update(from:count:)` of the standard library calls an empty function for each element in
  /// Embedded Swift.
  @inlinable @inline(__always)
  package func copy(from source: UnsafePointer<Pointee>, count: Int) {
    unsafe memmove(self, source, count &* MemoryLayout<Pointee>.stride)
  }
}
