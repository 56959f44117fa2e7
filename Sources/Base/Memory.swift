// Where all large memory comes from: anonymous mappings, zeroed by the system, taken page by page
// only when touched; or the functions of a host that wants to give it. A refusal is a value, not a
// trap.
import Platform

/// How a host gives memory and takes it back, on whatever thread a call runs.
@safe package struct HostMemory: Sendable {
  /// (bytes, alignment): a block with any content, or nil.
  package typealias Allocate = @Sendable (Int, Int) -> UnsafeMutableRawPointer?
  /// (block, bytes).
  package typealias Release = @Sendable (UnsafeMutableRawPointer, Int) -> Void

  let allocate: Allocate
  let release: Release
  /// Whole lines of the cache.
  static let alignment = 64

  package init(allocate: @escaping Allocate, release: @escaping Release) {
    unsafe self.allocate = allocate
    unsafe self.release = release
  }
}

/// A region of zeroed memory, given back when the last reference goes.
@safe package final class Memory: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  private let host: HostMemory?

  private init(_ base: UnsafeMutableRawPointer, _ byteCount: Int, _ host: HostMemory?) {
    unsafe self.base = base
    self.byteCount = byteCount
    self.host = host
  }

  /// Takes `byteCount` bytes, aligned to 64, from the host or, when that is nil, the system.
  ///
  /// Throws `.outOfMemory`, and `.invalidArgument` for a block of the host that is not aligned.
  @export(interface)
  package static func allocated(
    byteCount: Int, for purpose: String, from host: HostMemory?
  ) throws(EngineError) -> Memory {
    let size = max(byteCount, 1)
    if let host { return unsafe Memory(try block(of: host, size, purpose), size, host) }
    return unsafe Memory(try mapping(size, purpose), size, nil)
  }

  deinit {
    if let host {
      unsafe host.release(base, byteCount)
    } else {
      unsafe munmap(base, byteCount)
    }
  }

  private static func mapping(
    _ size: Int, _ purpose: String
  ) throws(EngineError) -> UnsafeMutableRawPointer {
    let region = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let region = unsafe region, unsafe region != platform_map_failed() else {
      throw EngineError(
        .outOfMemory, "the system refused \(size) bytes for \(purpose)")
    }
    if size >= 4 << 20 { unsafe madvise(region, size, MADV_HUGEPAGE) }
    return unsafe region
  }

  private static func block(
    of host: HostMemory, _ size: Int, _ purpose: String
  ) throws(EngineError) -> UnsafeMutableRawPointer {
    guard let block = unsafe host.allocate(size, HostMemory.alignment) else {
      throw EngineError(.outOfMemory, "allocate refused \(size) bytes for \(purpose)")
    }
    let address = UInt(bitPattern: block)
    guard address.isMultiple(of: UInt(HostMemory.alignment)) else {
      unsafe host.release(block, size)
      throw EngineError(
        .invalidArgument,
        "allocate gave 0x\(String(address, radix: 16)) for \(purpose); "
          + "allowed a multiple of \(HostMemory.alignment)")
    }
    unsafe memset(block, 0, size)
    return unsafe block
  }
}

/// Sizes that say when they overflow.
package struct Sizes {
  package init() {}

  /// The running total, nil after an overflow.
  package private(set) var total: Int? = 0

  /// Adds a region of `count` x `size` bytes, aligned to 64, and returns its offset.
  package mutating func add(_ count: Int, _ size: Int) -> Int {
    guard let start = total else { return 0 }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
    let (end, over) = start.addingReportingOverflow(bytes)
    let (padded, too) = end.addingReportingOverflow(63)
    total = overflow || over || too || bytes < 0 ? nil : padded & ~63
    return start
  }
}

/// `value` rounded up to a whole number of vectors of sixteen.
package func padded(_ value: Int) -> Int { (value &+ 15) & ~15 }

/// Whether the system would give this many bytes now.
///
/// An Array ends the call when it cannot grow, so memory of a size that a file chose is asked for
/// here first.
@export(interface)
package func canAllocate(byteCount: Int) -> Bool {
  platform_can_allocate(UInt64(clamping: byteCount)) != 0
}
