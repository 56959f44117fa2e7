// How every function of the header begins and ends: the host's errno and floating-point state are
// as they were, an error becomes a status and this thread's sentence.
import Base
import CMixtral
import Model
import Platform

/// The floating-point state of every call.
private let floatState = UInt64(PLATFORM_FLOAT_STATE)

/// Whether a callback of the host says stop; what it did to the floating-point state is undone.
func stops(_ callback: () -> Int32) -> Bool {
  let answer = callback()
  platform_set_float_state(floatState)
  return answer != 0
}

/// The answer of a callback that gives or takes memory; what it did to the floating-point state is
/// undone.
///
/// The model's turn may be taken, so that a step from there would wait for ever: calls but
/// mixtral_free and mixtral_cancel are BUSY.
func inAllocator<Answer>(_ callback: () -> Answer) -> Answer {
  let outer = platform_in_allocator()
  platform_set_in_allocator(1)
  defer {
    platform_set_in_allocator(outer)
    platform_set_float_state(floatState)
  }
  return callback()
}

/// Runs the body of a function of the header.
///
/// Nothing begins while the reserve of memory is low, or in a callback that gives memory, but what
/// is allowed `always`: freeing and cancelling.
func call(
  always: Bool = false, _ body: () throws(EngineError) -> Void
) -> mixtral_status {
  let savedErrno = platform_errno()
  let savedState = platform_float_state()
  platform_set_float_state(floatState)
  defer {
    platform_set_float_state(savedState)
    platform_set_errno(savedErrno)
  }
  // A call may run in a callback of another one.
  let outerRefusals = platform_refusals()
  platform_set_refusals(0)
  defer { platform_set_refusals(outerRefusals) }
  do throws(EngineError) {
    guard always || platform_in_allocator() == 0 else {
      throw EngineError(
        .busy,
        "the call comes from an allocate or release callback, which may only free and cancel")
    }
    guard always || platform_reserve_is_low() == 0 else { throw Failure.memory.error }
    try recovering(body)
    return mixtral_status(MIXTRAL_OK)
  } catch {
    return fail(error)
  }
}

/// Records an error as this thread's sentence; returns its status.
func fail(_ error: EngineError) -> mixtral_status {
  guard let buffer = platform_error_buffer() else { return error.kind.rawValue }
  // A string of this platform is one run of bytes.
  let length = error.message.utf8.withContiguousStorageIfAvailable { text in
    var length = min(text.count, 1023)
    // Not in the middle of a character.
    while length > 0, length < text.count, text[length] & 0xc0 == 0x80 { length &-= 1 }
    for i in below(length) {
      buffer[i] = CChar(bitPattern: text[i])
    }
    return length
  }
  buffer[length ?? 0] = 0
  return error.kind.rawValue
}

/// The pointer, or INVALID_ARGUMENT naming it.
func need<Pointer>(_ pointer: Pointer?, _ name: String) throws(EngineError) -> Pointer {
  guard let pointer else { throw EngineError(.invalidArgument, "\(name) is NULL") }
  return pointer
}

/// A caller's array: NULL only when empty, aligned for its elements.
func array<Element>(
  _ base: UnsafePointer<Element>?, _ count: Int, _ name: String
) throws(EngineError) -> UnsafeBufferPointer<Element> {
  guard count >= 0 else {
    throw EngineError(
      .invalidArgument,
      "count of \(name) is \(UInt(bitPattern: count)); allowed 0..\(Int.max)")
  }
  guard count > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
  guard let base else {
    throw EngineError(.invalidArgument, "\(name) is NULL with count \(count)")
  }
  try checkAligned(UnsafeRawPointer(base), MemoryLayout<Element>.alignment, name)
  return UnsafeBufferPointer(start: base, count: count)
}

func checkAligned(
  _ pointer: UnsafeRawPointer, _ alignment: Int, _ name: String
) throws(EngineError) {
  guard Int(bitPattern: pointer) & (alignment &- 1) == 0 else {
    throw EngineError(
      .invalidArgument, "\(name) is not aligned to \(alignment) bytes")
  }
}

/// INVALID_ARGUMENT when results would be written over an argument that is read at the same time.
func checkApart<Result, Argument>(
  _ results: UnsafePointer<Result>?, _ resultCount: Int, _ argument: UnsafePointer<Argument>?,
  _ argumentCount: Int, _ names: String
) throws(EngineError) {
  guard let results, let argument else { return }
  let first = UInt(bitPattern: results)
  let other = UInt(bitPattern: argument)
  // Bytes of the lower one, which has to end before the other begins.
  let (size, overflow) =
    first < other
    ? UInt(bitPattern: resultCount).multipliedReportingOverflow(
      by: UInt(bitPattern: MemoryLayout<Result>.stride))
    : UInt(bitPattern: argumentCount).multipliedReportingOverflow(
      by: UInt(bitPattern: MemoryLayout<Argument>.stride))
  guard !overflow, size <= (first < other ? other &- first : first &- other) else {
    throw EngineError(.invalidArgument, "\(names) overlap")
  }
}

/// Writes results by the one buffer convention: the count always, the elements when they fit.
func write<Element: BitwiseCopyable>(
  _ elements: UnsafeBufferPointer<Element>, _ count: UnsafeMutablePointer<Int>?,
  _ buffer: UnsafeMutablePointer<Element>?, _ capacity: Int
) throws(EngineError) {
  let out = try outputBuffer(for: elements.count, count, buffer, capacity)
  if let from = elements.baseAddress { out?.copy(from: from, count: elements.count) }
}

/// The buffer, when `needed` elements fit; otherwise BUFFER_TOO_SMALL.
///
/// The count is written in any case.
func outputBuffer<Element>(
  for needed: Int, _ count: UnsafeMutablePointer<Int>?,
  _ buffer: UnsafeMutablePointer<Element>?, _ capacity: Int
) throws(EngineError) -> UnsafeMutablePointer<Element>? {
  let count = try need(count, "the pointer to the count")
  if buffer == nil, capacity != 0 {
    throw EngineError(
      .invalidArgument,
      "buffer is NULL with capacity \(UInt(bitPattern: capacity)); allowed NULL with 0")
  }
  if let buffer {
    try checkAligned(UnsafeRawPointer(buffer), MemoryLayout<Element>.alignment, "buffer")
  }
  count.pointee = needed
  guard UInt(bitPattern: capacity) >= UInt(bitPattern: needed) else {
    throw EngineError(
      .bufferTooSmall,
      "capacity is \(UInt(bitPattern: capacity)); needed \(needed)")
  }
  return buffer
}

/// A struct of the header that begins with its size, so that it can grow from release to release.
///
/// Which sizes do not cut a field in two: Sources/Mixtral/StructSizes.swift.
protocol SizedStruct {
  static func isWhole(_ size: Int) -> Bool
}

/// A caller's option struct, or all defaults for NULL.
///
/// A shorter struct is an older release's: the rest is zero. A longer one is a later release's: its
/// tail must be zero, as an option this library does not know must not be ignored in silence.
func options<Options: SizedStruct & BitwiseCopyable>(
  _ pointer: UnsafePointer<Options>?, _ zero: Options, _ name: String
) throws(EngineError) -> Options {
  guard let pointer else { return zero }
  let raw = UnsafeRawPointer(pointer)
  let size = try structSize(raw, Options.self, name)
  let known = MemoryLayout<Options>.size
  if size > known {
    for i in known..<size where raw.load(fromByteOffset: i, as: UInt8.self) != 0 {
      throw EngineError(
        .unsupported,
        "\(name).struct_size is \(size) and byte \(i) is not zero; "
          + "this release knows \(known) bytes"
      )
    }
  }
  var options = zero
  withUnsafeMutableBytes(of: &options) { bytes in
    bytes.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: min(size, known)))
  }
  return options
}

/// Fills a caller's result struct of whatever size it has.
func fill<Result: SizedStruct & BitwiseCopyable>(
  _ pointer: UnsafeMutablePointer<Result>?, _ value: Result, _ name: String
) throws(EngineError) {
  let pointer = UnsafeMutableRawPointer(try need(pointer, name))
  let size = try structSize(UnsafeRawPointer(pointer), Result.self, name)
  withUnsafeBytes(of: value) { bytes in
    // struct_size itself, the first four bytes, stays the caller's.
    for i in below(size, from: 4) {
      let byte = i < bytes.count ? bytes[i] : 0
      pointer.storeBytes(of: byte, toByteOffset: i, as: UInt8.self)
    }
  }
}

private func structSize<Struct: SizedStruct>(
  _ raw: UnsafeRawPointer, _: Struct.Type, _ name: String
) throws(EngineError) -> Int {
  try checkAligned(raw, MemoryLayout<Struct>.alignment, name)
  let size = Int(raw.load(as: UInt32.self))
  guard size >= 4, size <= 4096 else {
    throw EngineError(
      .invalidArgument,
      "\(name).struct_size is \(size); set it to sizeof(\(name)), allowed 4..4096")
  }
  guard size > MemoryLayout<Struct>.size || Struct.isWhole(size) else {
    throw EngineError(
      .invalidArgument,
      "\(name).struct_size is \(size), which cuts a field in two; set it to sizeof(\(name))")
  }
  return size
}
