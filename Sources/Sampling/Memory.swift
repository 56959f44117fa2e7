// Workspace memory that grows with the vocabulary. Swift's own containers end the process when the
// system refuses memory; here a refusal is an error.

import Formats
import Glibc

/// Owns room for `count` trivial values; its contents mean nothing until they are written.
@safe struct Memory<Element: BitwiseCopyable>: ~Copyable {
  private var storage: UnsafeMutablePointer<Element>?
  private(set) var count = 0

  init() { unsafe storage = nil }

  deinit { unsafe free(storage) }

  /// Grows to at least `needed` values, forgetting the contents; unchanged on an error.
  ///
  /// - Throws: `.outOfMemory`.
  mutating func reserve(_ needed: Int) throws(EngineError) {
    guard needed > count else { return }
    let (size, overflow) = needed.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    // SAFETY: malloc aligns for every Element used here, and `size` bytes hold `needed` of them.
    guard !overflow, let bytes = unsafe malloc(size) else {
      throw EngineError(
        .outOfMemory, "the sampler's workspace needs room for \(needed) values; none was granted")
    }
    unsafe free(storage)
    unsafe storage = bytes.bindMemory(to: Element.self, capacity: needed)
    count = needed
  }

  /// The first `length` values, valid until the next `reserve`.
  ///
  /// `length` must not exceed `count`.
  func prefix(_ length: Int) -> UnsafeMutableBufferPointer<Element> {
    assert(length >= 0 && length <= count)
    return unsafe UnsafeMutableBufferPointer(start: storage, count: min(length, count))
  }
}
