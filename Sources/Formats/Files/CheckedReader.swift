// The only way from a file's header to values: every count is compared with the bytes left before
// anything is taken or allocated, and every error names the file, the field and the byte offset.
import Base

/// Reads a file front to back through one small buffer.
struct CheckedReader: ~Copyable {
  /// The file that is read; its size was fixed when it was opened.
  let file: InputFile
  /// The offset of the next byte.
  private(set) var position: UInt64 = 0
  private var buffer: Growable<UInt8>
  private var cursor = 0
  private var end = 0

  /// Small enough that even a process short of memory can make it.
  private static let bufferByteCount = 32 << 10

  init(_ file: InputFile) throws(EngineError) {
    self.file = file
    buffer = try Growable(filled: 0, count: Self.bufferByteCount)
  }

  /// Bytes from the position to the end of the file.
  var bytesLeft: UInt64 { file.byteCount &- position }

  /// Throws unless `byteCount` more bytes are in the file and within the header's ceiling.
  func require(_ byteCount: UInt64, for field: @autoclosure () -> String) throws(EngineError) {
    guard byteCount <= bytesLeft else {
      throw error(
        .malformed,
        "the file is truncated: \(field()) needs \(byteCount) bytes; \(bytesLeft) are left")
    }
    guard position &+ byteCount <= Limits.headerByteCount else {
      throw error(
        .limitExceeded,
        "\(field()) ends at byte \(position &+ byteCount) of the header; allowed are "
          + "\(Limits.headerByteCount)")
    }
  }

  /// Reads one little-endian integer.
  mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _ field: @autoclosure () -> String, as _: Value.Type = Value.self
  ) throws(EngineError) -> Value {
    let size = MemoryLayout<Value>.size
    try require(UInt64(size), for: field())
    if end &- cursor < size { try refill() }
    let value: Value = try buffer.integer(at: cursor)
    cursor &+= size
    position &+= UInt64(size)
    return value
  }

  /// Appends the next `byteCount` bytes to `bytes`.
  mutating func append(
    _ byteCount: Int, to bytes: inout Growable<UInt8>, _ field: @autoclosure () -> String
  ) throws(EngineError) {
    try require(UInt64(clamping: byteCount), for: field())
    try reserve(byteCount, in: &bytes, field())
    try take(byteCount, into: &bytes)
  }

  private mutating func take(
    _ byteCount: Int, into bytes: inout Growable<UInt8>
  ) throws(EngineError) {
    var left = byteCount
    while left > 0 {
      if cursor == end { try refill() }
      let count = min(left, end &- cursor)
      try bytes.append(buffer, cursor, count)
      cursor &+= count
      position &+= UInt64(clamping: count)
      left &-= count
    }
  }

  /// Makes room for `extra` more elements, or throws `.outOfMemory`.
  func reserve<Element>(
    _ extra: Int, in elements: inout [Element], _ field: @autoclosure () -> String
  ) throws(EngineError) {
    let needed = elements.count &+ extra
    guard needed > elements.capacity else { return }
    let capacity = max(needed, elements.capacity &* 2)
    let byteCount = capacity &* MemoryLayout<Element>.stride
    try checkMemory(byteCount, field())
    guard canAllocate(byteCount: byteCount) else {
      throw error(.outOfMemory, "no memory for the \(capacity) elements of \(field())")
    }
    elements.reserveCapacity(capacity)
  }

  /// Makes room for `extra` more elements, or throws `.outOfMemory`.
  func reserve<Element>(
    _ extra: Int, in elements: inout Growable<Element>, _ field: @autoclosure () -> String
  ) throws(EngineError) {
    // Both counts are bounded by the header's ceiling, so their sum and its double fit.
    let needed = elements.count &+ extra
    guard needed > elements.capacity else { return }
    let capacity = max(needed, elements.capacity &* 2)
    try checkMemory(capacity &* MemoryLayout<Element>.stride, field())
    do throws(EngineError) {
      try elements.reserve(capacity)
    } catch {
      throw self.error(.outOfMemory, "no memory for the \(capacity) elements of \(field())")
    }
  }

  /// Throws `.outOfMemory` when the memory for a large field is not there: the kernel would promise
  /// it.
  private func checkMemory(
    _ byteCount: Int, _ field: @autoclosure () -> String
  ) throws(EngineError) {
    guard byteCount >= Self.largeByteCount else { return }
    let needed = UInt64(clamping: byteCount)
    try MemoryLimits().check(memory: needed, addresses: needed, "\(file.name): \(field()) needs")
  }

  /// From here on it is worth to ask the system first.
  private static let largeByteCount = 16 << 20

  /// An error at the reader's position.
  func error(_ kind: EngineError.Kind, _ text: String) -> EngineError {
    file.error(kind, "\(text) (at byte \(position))")
  }

  private mutating func refill() throws(EngineError) {
    let count = Int(clamping: min(UInt64(Self.bufferByteCount), bytesLeft))
    let (file, position) = (file, position)
    // Nothing of the old buffer may be taken for new bytes when the read fails.
    (cursor, end) = (0, 0)
    try unsafe file.read(into: buffer.first(count), at: position)
    end = count
  }
}
