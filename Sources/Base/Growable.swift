// Memory that grows and indexes that are checked, without a check of the compiler's own: the
// runtime's arrays end the call when memory is refused or an index is wrong
// (Sources/Platform/recovery.c), here both are errors that are thrown. Tests/Traps counts what is
// left of the former.
import Platform

/// The error of a wrong index: a fault of the library, never of a file or of a caller.
@usableFromInline @inline(never)
func indexFault(_ index: Int, _ count: Int) -> EngineError {
  EngineError(
    .internal, "index \(index) of \(count) elements is a fault of the library; free what was in use"
  )
}

/// Memory of malloc, given back with the last reference.
@safe @usableFromInline
final class GrowableStorage: @unchecked Sendable {
  @usableFromInline let base: UnsafeMutableRawPointer

  private init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

  /// Memory of its own; nil when the system refuses it.
  static func allocated(byteCount: Int) -> GrowableStorage? {
    guard byteCount > 0, let base = unsafe malloc(byteCount) else { return nil }
    return unsafe GrowableStorage(base)
  }

  deinit { unsafe free(base) }
}

/// A growable array of plain values: refused memory is `outOfMemory`, a wrong index `internal`.
///
/// A value like any array: a copy shares the memory until one of the two is written to.
@safe @frozen @usableFromInline
package struct Growable<Element: BitwiseCopyable>: @unchecked Sendable {
  @usableFromInline var storage: GrowableStorage?
  @usableFromInline var base: UnsafeMutablePointer<Element>?
  /// How many elements the storage has room for.
  @usableFromInline package internal(set) var capacity = 0
  /// How many elements there are.
  @usableFromInline package internal(set) var count = 0

  @inlinable package init() { unsafe base = nil }

  /// `count` equal elements; none for a count below 1.
  @inlinable package init(filled element: Element, count: Int) throws(EngineError) {
    self.init()
    guard count > 0 else { return }
    try reserve(count)
    // SAFETY: `reserve` has made room for them.
    unsafe base?.initialize(repeating: element, count: count)
    self.count = count
  }

  /// The element; `internal` where there is none.
  @inlinable @inline(__always)
  package func at(_ index: Int) throws(EngineError) -> Element {
    guard index >= 0, index < count, let base = unsafe base else { throw indexFault(index, count) }
    // SAFETY: `count` elements are initialised, and the index is one of theirs.
    return unsafe base[index]
  }

  /// Replaces an element; `internal` where there is none.
  @inlinable @inline(__always)
  package mutating func put(_ element: Element, at index: Int) throws(EngineError) {
    if !isKnownUniquelyReferenced(&storage) { try move(to: count) }
    guard index >= 0, index < count, let base = unsafe base else { throw indexFault(index, count) }
    // SAFETY: as in `at`; nobody else has the memory.
    unsafe base[index] = element
  }

  /// Makes room for `needed` elements in all.
  @inlinable
  package mutating func reserve(_ needed: Int) throws(EngineError) {
    if needed > capacity || !isKnownUniquelyReferenced(&storage) { try move(to: needed) }
  }

  /// Moves the elements to memory of their own with room for `needed` of them.
  @usableFromInline @inline(never)
  mutating func move(to needed: Int) throws(EngineError) {
    let wanted = needed > capacity ? max(needed, capacity &+ capacity / 2, 16) : max(capacity, 1)
    let (size, overflow) = wanted.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard !overflow, let grown = GrowableStorage.allocated(byteCount: size) else {
      throw EngineError(.outOfMemory, "no memory for \(wanted) elements")
    }
    let fresh = unsafe grown.base.assumingMemoryBound(to: Element.self)
    // SAFETY: there is room for at least as many as there are.
    if let base = unsafe base { unsafe fresh.initialize(from: base, count: count) }
    storage = grown
    unsafe base = fresh
    capacity = wanted
  }

  @inlinable @inline(__always)
  package mutating func append(_ element: Element) throws(EngineError) {
    try reserve(count &+ 1)
    guard let base = unsafe base else { throw indexFault(count, count) }
    // SAFETY: `reserve` has made room for one more.
    unsafe (base + count).initialize(to: element)
    count &+= 1
  }

  /// Appends the elements of memory that the caller vouches for.
  @inlinable
  package mutating func append(
    contentsOf elements: UnsafeBufferPointer<Element>
  ) throws(EngineError) {
    guard let source = elements.baseAddress, elements.count > 0 else { return }
    try reserve(count &+ elements.count)
    guard let base = unsafe base else { throw indexFault(count, count) }
    // SAFETY: room for as many more was made just now.
    unsafe (base + count).initialize(from: source, count: elements.count)
    count &+= elements.count
  }

  /// Appends `length` elements of `other` from `start` on; `internal` where they are not there.
  @inlinable
  package mutating func append(
    _ other: Growable, _ start: Int, _ length: Int
  ) throws(EngineError) {
    guard start >= 0, length >= 0, start <= other.count, length <= other.count &- start else {
      throw indexFault(start &+ length, other.count)
    }
    guard let source = unsafe other.base else { return }
    // SAFETY: checked in the lines above.
    try unsafe append(contentsOf: UnsafeBufferPointer(start: source + start, count: length))
  }

  @inlinable
  package mutating func removeLast() -> Element? {
    guard count > 0, let base = unsafe base else { return nil }
    count &-= 1
    // SAFETY: it was the last of the elements.
    return unsafe base[count]
  }

  /// Forgets the elements from `newCount` on and keeps the memory.
  @inlinable
  package mutating func shorten(to newCount: Int) { count = max(0, min(count, newCount)) }

  /// All elements, to be written to until the next call of anything here.
  @inlinable
  package mutating func all() throws(EngineError) -> UnsafeMutableBufferPointer<Element> {
    try reserve(count)
    return unsafe UnsafeMutableBufferPointer(start: base, count: count)
  }

  /// Memory for what the system writes into it, up to the next call of anything here.
  ///
  /// Some of the elements, from the first on; `internal` where they are not there.
  @inlinable
  package mutating func first(_ length: Int) throws(EngineError) -> UnsafeMutableRawBufferPointer {
    guard length >= 0, length <= count else { throw indexFault(length, count) }
    try reserve(count)
    return unsafe UnsafeMutableRawBufferPointer(
      start: base, count: length &* MemoryLayout<Element>.stride)
  }

  /// Appends the elements to an array.
  @inlinable
  package func append(to array: inout [Element]) {
    // SAFETY: `count` elements are initialised.
    unsafe array.append(contentsOf: UnsafeBufferPointer(start: base, count: count))
  }

  /// The elements as an array, after asking whether the memory for it can be had.
  package func array() throws(EngineError) -> [Element] {
    guard count > 0 else { return [] }
    // The array's own allocation could not report a refusal, so its size is tried first.
    guard canAllocate(byteCount: count &* MemoryLayout<Element>.stride &+ 64) else {
      throw EngineError(.outOfMemory, "no memory for \(count) results")
    }
    return unsafe Array(UnsafeBufferPointer(start: base, count: count))
  }
}

extension Growable where Element == UInt8 {
  /// Appends the bytes of a text, UTF-8.
  @inlinable
  package mutating func append(_ text: String) throws(EngineError) {
    let bytes = text.utf8.span
    for index in below(bytes.count) {
      try append(bytes[index])
    }
  }

  /// The little-endian integer at `offset`; `internal` where its bytes are not there.
  @inlinable @inline(__always)
  package func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as _: Value.Type = Value.self
  ) throws(EngineError) -> Value {
    let size = MemoryLayout<Value>.size
    guard offset >= 0, size <= count, offset <= count &- size, let base = unsafe base else {
      throw indexFault(offset, count)
    }
    // SAFETY: checked in the lines above; any bits are an integer.
    return Value(
      littleEndian: unsafe UnsafeRawPointer(base + offset).loadUnaligned(as: Value.self))
  }
}
