// Memory that cannot be overrun in silence: it ends, or begins, at a page that nobody may touch.
import Glibc

/// Writable zeroed bytes with an inaccessible page right after them or right before them.
package final class GuardedBuffer {
  /// The side on which one byte further is a crash.
  package enum Side: CaseIterable, Sendable {
    case end
    case start
  }

  /// The first byte.
  package let base: UnsafeMutableRawPointer
  /// The usable bytes.
  package let byteCount: Int
  private let mapping: UnsafeMutableRawPointer
  private let mappingByteCount: Int

  /// Maps `byteCount` bytes (0 is allowed) guarded on `side`.
  ///
  /// The other side is guarded too, but up to a page away. With `.end` the first byte is aligned as
  /// far as `byteCount` is, with `.start` to a page.
  package init(byteCount: Int, guarding side: Side = .end) throws {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let usable = (byteCount + page - 1) / page * page
    mappingByteCount = usable + 2 * page
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let region = mmap(nil, mappingByteCount, PROT_NONE, flags, -1, 0), region != MAP_FAILED
    else { throw SystemFailure(call: "mmap \(mappingByteCount)") }
    mapping = region
    let start = region + page
    guard usable == 0 || mprotect(start, usable, PROT_READ | PROT_WRITE) == 0 else {
      throw SystemFailure(call: "mprotect \(usable)")
    }
    base = side == .end ? start + (usable - byteCount) : start
    self.byteCount = byteCount
  }

  /// A copy of `bytes`, guarded on `side`.
  package convenience init(_ bytes: some Collection<UInt8>, guarding side: Side = .end) throws {
    try self.init(byteCount: bytes.count, guarding: side)
    for (i, byte) in bytes.enumerated() {
      base.storeBytes(of: byte, toByteOffset: i, as: UInt8.self)
    }
  }

  /// A copy of `values`, guarded on `side`.
  package convenience init(floats values: [Float], guarding side: Side = .end) throws {
    try self.init(byteCount: values.count * 4, guarding: side)
    floats.update(from: values, count: values.count)
  }

  deinit { munmap(mapping, mappingByteCount) }

  /// The bytes as single floats.
  package var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }

  /// The bits of `count` single floats from `index` on.
  package func bits(_ index: Int = 0, count: Int) -> [UInt32] {
    (index..<index + count).map { floats[$0].bitPattern }
  }
}
