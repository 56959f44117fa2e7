// Where all large memory comes from: anonymous mappings, zeroed by the system, taken page by page
// only when touched. A refusal is a value, not a trap.
import Formats
import Glibc

/// A region of zeroed memory, given back when the last reference goes.
package final class Memory: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int

  /// Maps `byteCount` bytes (rounded up to pages), aligned to a page.
  package init(byteCount: Int, for purpose: String) throws(EngineError) {
    let size = max(byteCount, 1)
    let region = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let region, region != MAP_FAILED else {
      throw EngineError(
        .outOfMemory, "\(purpose) needs \(byteCount) bytes, which the system refused")
    }
    if size >= 4 << 20 { madvise(region, size, MADV_HUGEPAGE) }
    base = region
    self.byteCount = size
  }

  deinit { munmap(base, byteCount) }
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
func padded(_ value: Int) -> Int { (value + 15) & ~15 }
