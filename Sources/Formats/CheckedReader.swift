// The only way from a file's header to values: every count is compared with the bytes left before
// anything is taken or allocated, and every error names the file, the field and the byte offset.

/// Reads a file front to back through one small buffer.
struct CheckedReader: ~Copyable {
  /// The file that is read; its size was fixed when it was opened.
  let file: InputFile
  /// The offset of the next byte.
  private(set) var position: UInt64 = 0
  private var buffer: [UInt8]
  private var cursor = 0
  private var end = 0

  /// Small enough that even a process short of memory can make it.
  private static let bufferByteCount = 32 << 10

  init(_ file: InputFile) {
    self.file = file
    buffer = [UInt8](repeating: 0, count: Self.bufferByteCount)
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
    // SAFETY: `require` and `refill` put `size` bytes between cursor and end; any bits are an
    // integer.
    let raw = unsafe buffer.span.bytes.unsafeLoadUnaligned(fromByteOffset: cursor, as: Value.self)
    cursor &+= size
    position &+= UInt64(size)
    return Value(littleEndian: raw)
  }

  /// Appends the next `byteCount` bytes to `bytes`.
  mutating func append(
    _ byteCount: Int, to bytes: inout [UInt8], _ field: @autoclosure () -> String
  ) throws(EngineError) {
    try require(UInt64(byteCount), for: field())
    try reserve(byteCount, in: &bytes, field())
    var left = byteCount
    while left > 0 {
      if cursor == end { try refill() }
      let count = min(left, end &- cursor)
      bytes.append(contentsOf: buffer[cursor..<cursor &+ count])
      cursor &+= count
      position &+= UInt64(count)
      left &-= count
    }
  }

  /// Makes room for `extra` more elements, or throws `.outOfMemory`.
  func reserve<Element>(
    _ extra: Int, in elements: inout [Element], _ field: @autoclosure () -> String
  ) throws(EngineError) {
    // Both counts are bounded by the header's ceiling, so their sum and its double fit.
    let needed = elements.count &+ extra
    guard needed > elements.capacity else { return }
    let capacity = max(needed, elements.capacity &* 2)
    guard canAllocate(byteCount: capacity &* MemoryLayout<Element>.stride) else {
      throw error(.outOfMemory, "no memory for the \(capacity) elements of \(field())")
    }
    elements.reserveCapacity(capacity)
  }

  /// An error at the reader's position.
  func error(_ kind: EngineError.Kind, _ text: String) -> EngineError {
    file.error(kind, "\(text) (at byte \(position))")
  }

  private mutating func refill() throws(EngineError) {
    let count = Int(min(UInt64(Self.bufferByteCount), bytesLeft))
    let (file, position) = (file, position)
    // Nothing of the old buffer may be taken for new bytes when the read fails.
    (cursor, end) = (0, 0)
    try unsafe buffer.withUnsafeMutableBufferPointer { (bytes) throws(EngineError) in
      let room = UnsafeMutableRawBufferPointer(bytes)
      try unsafe file.read(
        into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]), at: position)
    }
    end = count
  }
}
