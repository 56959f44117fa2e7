// Where all large memory comes from: anonymous mappings, zeroed by the system, taken page by page
// only when touched; or the functions of a host that wants to give it. A refusal is a value, not a
// trap.
import Formats
import Glibc

/// How a host gives memory and takes it back, on whatever thread a call runs.
package struct HostMemory: Sendable {
  /// (bytes, alignment): a block with any content, or nil.
  package typealias Allocate = @Sendable (Int, Int) -> UnsafeMutableRawPointer?
  /// (block, bytes).
  package typealias Release = @Sendable (UnsafeMutableRawPointer, Int) -> Void

  let allocate: Allocate
  let release: Release
  /// Whole lines of the cache.
  static let alignment = 64

  package init(allocate: @escaping Allocate, release: @escaping Release) {
    self.allocate = allocate
    self.release = release
  }
}

/// A region of zeroed memory, given back when the last reference goes.
package final class Memory: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  private let host: HostMemory?

  /// Takes `byteCount` bytes, aligned to 64, from the host or, when that is nil, the system.
  ///
  /// Throws `.outOfMemory`, and `.invalidArgument` for a block of the host that is not aligned.
  package init(
    byteCount: Int, for purpose: String, from host: HostMemory?
  ) throws(EngineError) {
    let size = max(byteCount, 1)
    if let host {
      base = try Self.block(of: host, size, purpose)
    } else {
      base = try Self.mapping(size, purpose)
    }
    self.byteCount = size
    self.host = host
  }

  deinit {
    if let host {
      host.release(base, byteCount)
    } else {
      munmap(base, byteCount)
    }
  }

  private static func mapping(
    _ size: Int, _ purpose: String
  ) throws(EngineError) -> UnsafeMutableRawPointer {
    let region = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let region, region != MAP_FAILED else {
      throw EngineError(
        .outOfMemory, "the system refused \(size) bytes for \(purpose)")
    }
    if size >= 4 << 20 { madvise(region, size, MADV_HUGEPAGE) }
    return region
  }

  private static func block(
    of host: HostMemory, _ size: Int, _ purpose: String
  ) throws(EngineError) -> UnsafeMutableRawPointer {
    guard let block = host.allocate(size, HostMemory.alignment) else {
      throw EngineError(.outOfMemory, "allocate refused \(size) bytes for \(purpose)")
    }
    guard Int(bitPattern: block) & (HostMemory.alignment &- 1) == 0 else {
      host.release(block, size)
      throw EngineError(
        .invalidArgument,
        "allocate gave 0x\(String(UInt(bitPattern: block), radix: 16)) for \(purpose); "
          + "allowed a multiple of \(HostMemory.alignment)")
    }
    memset(block, 0, size)
    return block
  }
}

/// Sizes that say when they overflow.
struct Sizes {
  /// The running total, nil after an overflow.
  private(set) var total: Int? = 0

  /// Adds a region of `count` x `size` bytes, aligned to 64, and returns its offset.
  mutating func add(_ count: Int, _ size: Int) -> Int {
    guard let start = total else { return 0 }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
    let (end, over) = start.addingReportingOverflow(bytes)
    let (padded, too) = end.addingReportingOverflow(63)
    total = overflow || over || too || bytes < 0 ? nil : padded & ~63
    return start
  }
}

/// `value` rounded up to a whole number of vectors of sixteen.
func padded(_ value: Int) -> Int { (value &+ 15) & ~15 }
