// The layout of a saved state, as Sources/Model/SavedState.swift documents it, and edits of it.
import Base
import Support

/// Where the header has what the rest of a state decides.
private enum Offset {
  static let (total, hasLogits, position, firstPage) = (16, 52, 56, 64)
  static let (bodySum, headerSum) = (112, 120)
}

/// A state in its parts.
///
/// Written again, the header counts them, but for what is claimed instead.
struct StateParts {
  static let headerByteCount = 128

  var header: [UInt8]
  var tokens: [UInt32] = []
  var pages: [[UInt8]] = []
  /// The bits of the logits; none when there are none.
  var logits: [UInt32] = []
  /// Fields of the header, by their offsets, that do not say what is there.
  private var claims: [(offset: Int, bytes: [UInt8])] = []
  private let pageByteCount: Int

  /// Takes a state apart that its session could load.
  init(_ bytes: [UInt8], pageByteCount: Int) {
    self.pageByteCount = pageByteCount
    header = Array(bytes[..<Self.headerByteCount])
    let count = Int(Self.position(bytes))
    var rest = bytes[Self.headerByteCount...]
    tokens = Self.words(rest.prefix(count * 4))
    rest = rest.dropFirst(count * 4)
    let logitsByteCount = header[Offset.hasLogits] == 1 ? Group.vocabulary * 4 : 0
    while rest.count >= pageByteCount + logitsByteCount {
      pages.append(Array(rest.prefix(pageByteCount)))
      rest = rest.dropFirst(pageByteCount)
    }
    logits = Self.words(rest)
  }

  /// How many tokens the header tells of.
  static func position(_ bytes: [UInt8]) -> UInt64 { number(bytes, Offset.position) }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
  }

  private static func words(_ bytes: ArraySlice<UInt8>) -> [UInt32] {
    bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
    }
  }

  /// The state; its checksums are as they were.
  func bytes() -> [UInt8] {
    var body = ByteBuilder()
    for token in tokens { body.integer(token) }
    for page in pages { body.bytes += page }
    for logit in logits { body.integer(logit) }
    var bytes = header + body.bytes
    write(UInt64(bytes.count), to: &bytes, at: Offset.total)
    write(UInt32(logits.isEmpty ? 0 : 1), to: &bytes, at: Offset.hasLogits)
    write(UInt64(tokens.count), to: &bytes, at: Offset.position)
    for claim in claims {
      bytes.replaceSubrange(claim.offset..<claim.offset + claim.bytes.count, with: claim.bytes)
    }
    return bytes
  }

  /// Changes one thing.
  mutating func edit(_ choices: inout Choices) {
    switch choices.below(8) {
    case 0: claim(&choices)
    case 1: changeToken(&choices)
    case 2: changeLength(&choices)
    case 3: moveFirstPage(&choices)
    case 4:
      logits = logits.isEmpty ? [UInt32](repeating: 0x3f80_0000, count: Group.vocabulary) : []
    case 5:
      guard !logits.isEmpty else { return }
      for _ in 0...choices.below(4) {
        logits[choices.below(logits.count)] = choices.pick([
          0x7fc0_0000, 0x7f80_0000, 0xff80_0000, 0x7f7f_ffff, 0xff7f_ffff, 1, 0x8000_0000,
          choices.bits(),
        ])
      }
    default: changePage(&choices)
    }
  }

  /// A field of the header with a number of its own.
  private mutating func claim(_ choices: inout Choices) {
    let (offset, size) = choices.pick([
      (0, 8), (8, 4), (12, 4), (16, 8), (24, 8), (32, 4), (36, 4), (40, 4), (44, 4), (48, 4),
      (52, 4), (56, 8), (64, 8), (72, 8), (104, 8),
    ])
    let old = Self.number(bytes(), offset)
    let number =
      choices.chance() ? choices.number() : old &+ UInt64(choices.below(5)) &- 2
    let all = (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) }
    claims.append((offset, Array(all[..<size])))
  }

  private mutating func changeToken(_ choices: inout Choices) {
    guard !tokens.isEmpty else { return }
    let token = choices.byte()
    tokens[choices.below(tokens.count)] =
      token < 200 ? UInt32(token) % 40 : choices.pick([40, .max, 0x7fff_ffff, 0x8000_0000, 41])
  }

  /// More or fewer tokens, with the pages that they need, all of them or those that are left.
  private mutating func changeLength(_ choices: inout Choices) {
    let count = choices.below(160)
    tokens = (0..<count).map { $0 < tokens.count ? tokens[$0] : UInt32($0 % Group.vocabulary) }
    let needed = max(0, (count + 63) / 64 - Int(clamping: first))
    let fill = choices.byte()
    while pages.count < needed {
      pages.append([UInt8](repeating: fill, count: pageByteCount))
    }
    if choices.byte() < 240 { pages.removeLast(pages.count - needed) }
    if count == 0 { logits = [] }
  }

  /// The first page that is held.
  private var first: UInt64 { Self.number(header, Offset.firstPage) }

  /// A cache that begins at another page, as long as before or with the pages that are left.
  private mutating func moveFirstPage(_ choices: inout Choices) {
    let target = choices.below(4)
    let held = Int(clamping: first)
    write(UInt64(target), to: &header, at: Offset.firstPage)
    if choices.byte() >= 240 { return }
    if target > held {
      pages.removeFirst(min(pages.count, target - held))
    } else {
      let copy = pages.first ?? [UInt8](repeating: 0, count: pageByteCount)
      pages.insert(contentsOf: repeatElement(copy, count: held - target), at: 0)
    }
  }

  /// F16 of a page: values of an F16 cache, scales or two codes of a Q8_0 one.
  private mutating func changePage(_ choices: inout Choices) {
    guard !pages.isEmpty else { return }
    let page = choices.below(pages.count)
    let half = choices.pick([
      0x7e00, 0x7c00, 0xfc00, 0x7bff, 0xfbff, 1, 0x8000, 0x7c01, choices.bits(UInt16.self),
    ])
    let halves = pageByteCount / 2
    var place = Int(choices.bits(UInt16.self)) % halves
    let stride = choices.pick([halves, 1, 2, 16, 64, 65])
    while place < halves {
      write(half, to: &pages[page], at: place * 2)
      place += stride
    }
  }
}

private func write(_ number: some FixedWidthInteger, to bytes: inout [UInt8], at offset: Int) {
  var builder = ByteBuilder()
  builder.integer(number)
  bytes.replaceSubrange(offset..<offset + builder.bytes.count, with: builder.bytes)
}

/// Changes bytes without regard to what they are.
func damage(_ bytes: inout [UInt8], _ choices: inout Choices) {
  guard !bytes.isEmpty else { return }
  let place = Int(choices.bits(UInt16.self)) % bytes.count
  switch choices.below(4) {
  case 0: bytes[place] ^= 1 << (choices.byte() & 7)
  case 1: bytes.removeLast(bytes.count - place)
  case 2: bytes.append(choices.byte())
  default: bytes.remove(at: place)
  }
}

/// The bytes with the checksums of a state that is whole; shorter ones than a header as they are.
func sealed(_ bytes: [UInt8]) -> [UInt8] {
  var bytes = bytes
  guard bytes.count >= StateParts.headerByteCount else { return bytes }
  func sum(_ range: Range<Int>) -> UInt64 {
    bytes.withUnsafeBytes { XXH64.of(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
  write(sum(StateParts.headerByteCount..<bytes.count), to: &bytes, at: Offset.bodySum)
  write(sum(0..<Offset.headerSum), to: &bytes, at: Offset.headerSum)
  return bytes
}
