// A session as bytes: a header, then the tokens, the pages of the cache that are held, and the
// logits when there are any. Little-endian. Positions of the last page that no token has are zero,
// so that equal sessions are equal bytes and nothing that was rewound is told.
//
// Every size is computed from the session's own model and compared with the header's; nothing is
// allocated because a header says so. At most 2^24 positions (`Session.init`), whose pages take at
// most 2^37 bytes each (`PageLayout`): no size or offset wraps.
import Base
import Forward
import Kernels

/// The beginning of a saved state: 128 bytes without gaps.
private struct StateHeader: BitwiseCopyable {
  static let byteCount = 128
  /// "MIXTRALS".
  static let magic: UInt64 = 0x534c_4152_5458_494d
  static let version: UInt32 = 1
  static let order: UInt32 = 0x0102_0304

  var magic = Self.magic
  var version = Self.version
  var order = Self.order
  /// Bytes in all.
  var total: UInt64 = 0
  /// `Model.digest`.
  var model: UInt64 = 0
  var cacheType: UInt32 = 0
  var layers: UInt32 = 0
  var kvHeads: UInt32 = 0
  var headWidth: UInt32 = 0
  var vocabulary: UInt32 = 0
  var hasLogits: UInt32 = 0
  var position: UInt64 = 0
  /// The first page of 64 positions that is held.
  var firstPage: UInt64 = 0
  var zeros: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
  /// XXH64 of what follows the header.
  var bodySum: UInt64 = 0
  /// XXH64 of the 120 bytes before.
  var headerSum: UInt64 = 0

  func checksum() -> UInt64 {
    withUnsafeBytes(of: self) {
      XXH64.of(UnsafeRawBufferPointer(start: $0.baseAddress, count: 120))
    }
  }
}

extension Session {
  /// Bytes of the saved state.
  package var stateByteCount: Int {
    Self.stateByteCount(
      self, position: position, firstPage: cache.firstPage, hasLogits: hasLogits)
  }

  private static func stateByteCount(
    _ session: Session, position: Int, firstPage: Int, hasLogits: Bool
  ) -> Int {
    StateHeader.byteCount &+ position &* 4
      &+ (pages(position) &- firstPage) &* session.cache.layout.byteCount
      &+ (hasLogits ? session.model.vocabulary &* 4 : 0)
  }

  private static func pages(_ position: Int) -> Int {
    (position &+ pagePositions &- 1) / pagePositions
  }

  private func header() throws(EngineError) -> StateHeader {
    let shape = model.shape
    var header = StateHeader()
    header.total = UInt64(clamping: stateByteCount)
    header.model = try model.digest(for: self)
    header.cacheType = UInt32(clamping: cache.layout.type.rawValue)
    header.layers = UInt32(clamping: shape.layers)
    header.kvHeads = UInt32(clamping: shape.kvHeads)
    header.headWidth = UInt32(clamping: shape.headWidth)
    header.vocabulary = UInt32(clamping: model.vocabulary)
    header.hasLogits = hasLogits ? 1 : 0
    header.position = UInt64(clamping: position)
    header.firstPage = UInt64(clamping: cache.firstPage)
    return header
  }

  /// Writes the state: `stateByteCount` bytes, given piece by piece with their offsets.
  @export(interface)
  package func save(
    _ write: (UnsafeRawBufferPointer, Int) throws(EngineError) -> Void
  ) throws(EngineError) {
    var header = try header()
    var sum = XXH64()
    var offset = StateHeader.byteCount
    func add(_ base: UnsafeRawPointer, _ byteCount: Int) throws(EngineError) {
      try checkNotCancelled()
      let bytes = UnsafeRawBufferPointer(start: base, count: byteCount)
      sum.update(bytes)
      try write(bytes, offset)
      offset &+= byteCount
    }
    try add(tokens, position &* 4)
    var page = cache.firstPage
    while page < Self.pages(position) {
      guard let base = cache.base(page) else {
        throw EngineError(.internal, "page \(page) of the cache is missing")
      }
      let used = position &- page &* pagePositions
      if used >= pagePositions {
        try add(base, cache.layout.byteCount)
      } else {
        let copy = try cache.copy(page: base, positions: used)
        try add(copy.base, cache.layout.byteCount)
      }
      page &+= 1
    }
    if hasLogits { try add(logits, model.vocabulary &* 4) }
    header.bodySum = sum.value
    header.headerSum = header.checksum()
    // The header last: what was cut short does not begin with one.
    let result = withUnsafeBytes(of: header) { bytes -> Result<Void, EngineError> in
      do throws(EngineError) { return .success(try write(bytes, 0)) } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  /// Becomes what was saved; on an error the session is as it was.
  ///
  /// `read` fills a buffer from an offset on, within 0..<`byteCount`.
  @export(interface)
  package func restore(
    byteCount: Int, _ read: (UnsafeMutableRawBufferPointer, Int) throws(EngineError) -> Void
  ) throws(EngineError) {
    let header = try Self.readHeader(byteCount, read)
    let (count, firstPage) = try check(header, byteCount)
    var sum = XXH64()
    var offset = StateHeader.byteCount
    func fill(_ base: UnsafeMutableRawPointer, _ byteCount: Int) throws(EngineError) {
      try checkNotCancelled()
      let bytes = UnsafeMutableRawBufferPointer(start: base, count: byteCount)
      try read(bytes, offset)
      sum.update(UnsafeRawBufferPointer(bytes))
      offset &+= byteCount
    }
    let restored = try Session.created(model: model, context: context, cacheType: cache.layout.type)
    try restored.makeRoom(for: count)
    try fill(restored.tokens, count &* 4)
    for (i, token) in UnsafeBufferPointer(start: restored.tokens, count: count).enumerated()
    where token < 0 || token >= model.vocabulary {
      throw EngineError(
        .malformed,
        "token \(i) of the state is \(token); allowed 0..\(model.vocabulary &- 1)")
    }
    try restored.cache.restore(from: firstPage, to: Self.pages(count)) {
      page throws(EngineError) in try fill(page, cache.layout.byteCount)
    }
    if header.hasLogits == 1 { try fill(restored.logits, model.vocabulary &* 4) }
    guard sum.value == header.bodySum else {
      throw EngineError(.malformed, "the state was changed: its checksum differs")
    }
    restored.position = count
    restored.hasLogits = header.hasLogits == 1
    take(restored)
  }

  /// Throws `.malformed` when a state is not of this session's model.
  private static func checkModel(
    _ header: StateHeader, _ own: StateHeader
  ) throws(EngineError) {
    guard header.model == own.model else {
      throw EngineError(
        .malformed,
        "the state is of model \(hexadecimal(header.model)); this is \(hexadecimal(own.model))")
    }
    // The model's number says these too: they differ in a state that no save wrote.
    try check("layers", header.layers, own.layers)
    try check("key-value heads", header.kvHeads, own.kvHeads)
    try check("values a head", header.headWidth, own.headWidth)
    try check("tokens in its vocabulary", header.vocabulary, own.vocabulary)
  }

  private static func check(
    _ what: String, _ said: UInt32, _ own: UInt32
  ) throws(EngineError) {
    guard said == own else {
      throw EngineError(
        .malformed, "the state says that the model has \(said) \(what); it has \(own)")
    }
  }

  private static func readHeader(
    _ byteCount: Int, _ read: (UnsafeMutableRawBufferPointer, Int) throws(EngineError) -> Void
  ) throws(EngineError) -> StateHeader {
    guard byteCount >= StateHeader.byteCount else {
      throw EngineError(
        .malformed, "the state has \(byteCount) bytes; its header alone \(StateHeader.byteCount)")
    }
    var header = StateHeader()
    let result = withUnsafeMutableBytes(of: &header) { bytes -> Result<Void, EngineError> in
      do throws(EngineError) {
        return .success(try read(bytes, 0))
      } catch {
        return .failure(error)
      }
    }
    try result.get()
    guard header.magic == StateHeader.magic else {
      throw EngineError(.malformed, "the bytes are no saved state: they do not begin with MIXTRALS")
    }
    guard header.order == StateHeader.order else {
      throw EngineError(.unsupported, "the state is not little-endian")
    }
    guard header.version == StateHeader.version else {
      throw EngineError(
        .unsupported,
        "the state has version \(header.version); this release reads \(StateHeader.version)")
    }
    guard header.headerSum == header.checksum() else {
      throw EngineError(.malformed, "the header of the state was changed: its checksum differs")
    }
    return header
  }

  /// The position and the first page of a state that this session can take.
  private func check(
    _ header: StateHeader, _ byteCount: Int
  ) throws(EngineError) -> (position: Int, firstPage: Int) {
    guard header.total == UInt64(clamping: byteCount) else {
      throw EngineError(
        .malformed, "the state has \(byteCount) bytes; its header says \(header.total)")
    }
    let own = try self.header()
    try Self.checkModel(header, own)
    guard header.cacheType == own.cacheType else {
      throw EngineError(
        .unsupported,
        "the state has cache_type \(header.cacheType); the session \(own.cacheType)")
    }
    guard header.hasLogits <= 1 else {
      throw EngineError(
        .malformed, "the state says \(header.hasLogits) for whether it has logits; allowed 0..1")
    }
    guard header.position <= UInt64(clamping: context) else {
      throw EngineError(
        .contextFull,
        "the state has \(header.position) tokens; the context of the session is \(context)")
    }
    let position = Int(clamping: header.position)
    let window = model.shape.slidingWindow
    let mostPages = window > 0 ? max(0, position &- window &+ 1) / pagePositions : 0
    guard header.firstPage <= UInt64(clamping: mostPages), header.hasLogits == 0 || position > 0
    else {
      throw EngineError(
        .malformed, "the state begins at page \(header.firstPage); allowed 0..\(mostPages)")
    }
    let firstPage = Int(clamping: header.firstPage)
    let needed = Self.stateByteCount(
      self, position: position, firstPage: firstPage, hasLogits: header.hasLogits == 1)
    guard needed == byteCount else {
      throw EngineError(
        .malformed, "the state has \(byteCount) bytes; \(position) tokens need \(needed)")
    }
    return (position, firstPage)
  }
}

private func hexadecimal(_ number: UInt64) -> String { String(number, radix: 16) }
