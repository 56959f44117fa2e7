// Memory that grows with a text. It comes from malloc, because the runtime's own arrays end the
// process when memory is refused; here a refusal is an error. The one file of this room that calls
// the C library.
import Formats
import Glibc

/// A growable array of plain values that throws `outOfMemory` instead of ending the process.
///
/// Every subscript is checked against `count`.
@safe struct Growable<Element: BitwiseCopyable>: ~Copyable {
  private var base: UnsafeMutablePointer<Element>?
  private(set) var count = 0
  private var capacity = 0

  init() { unsafe base = nil }

  deinit { unsafe free(base) }

  subscript(index: Int) -> Element {
    get {
      // SAFETY: `count` elements are initialised; the span checks the index.
      unsafe UnsafeBufferPointer(start: base, count: count).span[index]
    }
    set {
      // SAFETY: as above.
      let all = unsafe UnsafeMutableBufferPointer(start: base, count: count)
      var span = unsafe all.mutableSpan
      span[index] = newValue
    }
  }

  /// Makes room for `needed` elements in all.
  mutating func reserve(_ needed: Int) throws(EngineError) {
    guard needed > capacity else { return }
    let wanted = max(needed, capacity &+ capacity / 2, 16)
    let (size, overflow) = wanted.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard !overflow, size > 0, let grown = unsafe realloc(base, size) else {
      throw EngineError(.outOfMemory, "no memory for \(wanted) elements while handling text")
    }
    unsafe base = grown.assumingMemoryBound(to: Element.self)
    capacity = wanted
  }

  mutating func append(_ element: Element) throws(EngineError) {
    if count == capacity { try reserve(count &+ 1) }
    guard let base = unsafe base else { return }
    // SAFETY: `reserve` has made room for one more.
    unsafe (base + count).initialize(to: element)
    count &+= 1
  }

  mutating func removeLast() -> Element? {
    guard count > 0 else { return nil }
    let last = self[count &- 1]
    count &-= 1
    return last
  }

  /// Forgets the elements and keeps the memory.
  mutating func removeAll() { count = 0 }

  /// The elements as an array, after asking whether the memory for it can be had.
  func array() throws(EngineError) -> [Element] {
    guard count > 0 else { return [] }
    // The array's own allocation could not report a refusal, so its size is tried first.
    guard let trial = unsafe malloc(count &* MemoryLayout<Element>.stride &+ 64) else {
      throw EngineError(.outOfMemory, "no memory for \(count) results of handling text")
    }
    unsafe free(trial)
    return unsafe Array(UnsafeBufferPointer(start: base, count: count))
  }
}

extension Growable where Element == UInt8 {
  /// Appends `bytes` of any pointer the caller vouches for.
  mutating func append(contentsOf bytes: UnsafeRawBufferPointer) throws(EngineError) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    try reserve(count &+ bytes.count)
    guard let base = unsafe base else { return }
    // SAFETY: room for `bytes.count` more was made just now.
    unsafe UnsafeMutableRawPointer(base + count).copyMemory(
      from: source, byteCount: bytes.count)
    count &+= bytes.count
  }

  /// Appends `bytes[range]`.
  mutating func append(_ bytes: [UInt8], _ range: Range<Int>) throws(EngineError) {
    try reserve(count &+ range.count)
    for index in range { try append(bytes[index]) }
  }
}
