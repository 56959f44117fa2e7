// The fuzzer's bytes as a row of choices: when they are used up every further choice is 0, so each
// input, however short, is a whole program.

/// Reads choices from an input, front to back.
struct Choices {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var place = 0

  init(_ data: UnsafePointer<UInt8>?, _ size: Int) {
    bytes = UnsafeBufferPointer(start: data, count: data == nil ? 0 : size)
  }

  /// Whether no byte is left.
  var isEmpty: Bool { place >= bytes.count }

  mutating func byte() -> UInt8 {
    guard place < bytes.count else { return 0 }
    place += 1
    return bytes[place - 1]
  }

  /// A number of 0..<count; count is at most 65536.
  mutating func below(_ count: Int) -> Int {
    guard count > 1 else { return 0 }
    let low = Int(byte())
    return (count > 256 ? low << 8 | Int(byte()) : low) % count
  }

  mutating func chance() -> Bool { byte() & 1 == 1 }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

  /// Little-endian bits.
  mutating func bits<Value: FixedWidthInteger>(_: Value.Type = Value.self) -> Value {
    var value: Value = 0
    for i in 0..<Value.bitWidth / 8 {
      value |= Value(truncatingIfNeeded: byte()) << Value(truncatingIfNeeded: 8 * i)
    }
    return value
  }

  /// Numbers at which readers go wrong, their neighbours, and any others.
  mutating func number() -> UInt64 {
    let edges: [UInt64] = [
      0, 1, 2, 4, 8, 16, 31, 32, 64, 128, 255, 256, 512, 1024, 4096, 1 << 15, 1 << 16, 1 << 20,
      1 << 24, 1 << 30, 1 << 31, 1 << 32, 1 << 40, 1 << 48, 1 << 62, 1 << 63, 0,
    ]
    let kind = byte()
    if kind == 255 { return bits() }
    if kind >= 224 { return UInt64(byte()) }
    let edge = edges[Int(kind) % edges.count]
    return switch kind / 27 % 3 {
    case 0: edge
    case 1: edge &- 1
    default: edge &+ 1
    }
  }

  /// Up to `most` bytes.
  mutating func text(_ most: Int) -> [UInt8] {
    let count = below(most + 1)
    return (0..<count).map { _ in byte() }
  }

  /// All bytes that are left.
  mutating func rest() -> UnsafeBufferPointer<UInt8> {
    defer { place = bytes.count }
    return UnsafeBufferPointer(rebasing: bytes[min(place, bytes.count)...])
  }
}
