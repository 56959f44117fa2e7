// A conversation: its tokens, its cache, its last logits. What a session says depends on its tokens
// alone.
import Base
import Forward
import Kernels
import Synchronization

/// A conversation with a model.
package final class Session: @unchecked Sendable {
  package let model: Model
  package let context: Int
  package let exclusiveUse = ExclusiveUse("session")
  private let cancellation = Atomic<Bool>(false)
  /// Where others ask it to stop without holding it: a word that outlives the session, and the bit
  /// of it that says so.
  package var request: (word: UnsafePointer<Atomic<UInt64>>, bit: UInt64)?

  var cache: Cache
  /// The tokens fed so far, with room for those of `room`.
  private(set) var tokens: UnsafeMutablePointer<Int32>
  /// Positions that there is memory for, at most the context.
  private var room: Int
  /// How many they are.
  package internal(set) var position = 0
  /// The logits after the last token, padded to whole panels.
  private(set) var logits: UnsafeMutablePointer<Float>
  var hasLogits = false
  private var tokenMemory: Memory
  private var memory: Memory

  /// Positions that a session begins with memory for: few, as many sessions stay short.
  private static let firstRoom = 512

  /// Creates an empty session; `context` 0 is the model's.
  @export(interface)
  package static func created(
    model: Model, context: Int, cacheType: CacheType = .f16
  ) throws(EngineError) -> Session {
    let limit = 16 * 1024 * 1024
    guard context >= 0, context <= limit else {
      throw EngineError(.invalidArgument, "context is \(context); allowed 0..\(limit)")
    }
    return try empty(
      model, context == 0 ? min(model.shape.contextLength, limit) : context,
      PageLayout(model.shape, cacheType), room: 0)
  }

  /// A session that stands where this one stands; pages are shared until one of the two writes.
  @export(interface)
  package func forked() throws(EngineError) -> Session {
    let fork = try Session.empty(model, context, cache.layout, room: position)
    fork.position = position
    fork.hasLogits = hasLogits
    fork.cache.share(cache)
    fork.tokens.copy(from: tokens, count: position)
    fork.logits.copy(from: logits, count: padded(model.vocabulary))
    return fork
  }

  private static func empty(
    _ model: Model, _ context: Int, _ layout: PageLayout, room: Int
  ) throws(EngineError) -> Session {
    let room = min(max(room, firstRoom), context)
    let tokens = try tokenMemory(room, from: model.host)
    return Session(model, context, layout, tokens, room: room, try logitsMemory(model))
  }

  private init(
    _ model: Model, _ context: Int, _ layout: PageLayout, _ tokenMemory: Memory, room: Int,
    _ memory: Memory
  ) {
    self.model = model
    self.context = context
    self.room = room
    self.tokenMemory = tokenMemory
    tokens = Self.tokens(tokenMemory, room)
    cache = Cache(layout: layout, from: model.host, table: Self.pages(tokenMemory))
    self.memory = memory
    logits = memory.base.assumingMemoryBound(to: Float.self)
  }

  /// Makes room for the first `positions` positions, at most the context: for whole pages, so that
  /// a step allocates where a page begins, and at least for twice as many as there is room for.
  func makeRoom(for positions: Int) throws(EngineError) {
    guard positions > room else { return }
    let larger = min(max((positions | 63) &+ 1, room << 1), context)
    let memory = try Self.tokenMemory(larger, from: model.host)
    cache.move(to: Self.pages(memory))
    let moved = Self.tokens(memory, larger)
    moved.copy(from: tokens, count: position)
    (tokens, tokenMemory, room) = (moved, memory, larger)
  }

  private static func tokenMemory(
    _ room: Int, from host: HostMemory?
  ) throws(EngineError) -> Memory {
    // At most 2^26 bytes of tokens and 2^21 of the page table.
    try Memory.allocated(
      byteCount: pageTableByteCount(room) &+ room << 2, for: "the tokens of a session",
      from: host)
  }

  /// Bytes of a pointer to each page of the cache, of which the last may be begun.
  private static func pageTableByteCount(_ room: Int) -> Int {
    (room / pagePositions &+ 1) &* MemoryLayout<UnsafeRawPointer>.stride
  }

  /// The page table, and behind it the tokens.
  private static func pages(_ memory: Memory) -> UnsafeMutablePointer<UnsafeMutableRawPointer?> {
    memory.base.assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
  }

  private static func tokens(_ memory: Memory, _ room: Int) -> UnsafeMutablePointer<Int32> {
    (memory.base + pageTableByteCount(room)).assumingMemoryBound(to: Int32.self)
  }

  private static func logitsMemory(_ model: Model) throws(EngineError) -> Memory {
    try Memory.allocated(
      byteCount: padded(model.vocabulary) &* 4, for: "the logits of a session", from: model.host)
  }

  /// Oldest position still in the cache.
  package var firstPosition: Int { min(cache.firstPage &* pagePositions, position) }

  package var cacheByteCount: Int { cache.byteCount }

  /// Takes the session for a call, which nobody has asked to stop yet.
  package func begin() throws(EngineError) {
    try exclusiveUse.begin()
    cancellation.store(false, ordering: .relaxed)
    if let request { request.word.pointee.bitwiseAnd(~request.bit, ordering: .relaxed) }
  }

  /// Runs `body` while the session is this call's alone.
  package func hold(_ body: () throws(EngineError) -> Void) throws(EngineError) {
    try begin()
    defer { exclusiveUse.end() }
    try recovering(body) { _ in exclusiveUse.breakDown() }
  }

  /// Asks the running call to stop.
  package func cancel() { cancellation.store(true, ordering: .relaxed) }

  /// The error of a call that was asked to stop.
  static var cancelledError: EngineError { EngineError(.cancelled, "the call was cancelled") }

  /// Throws when the running call was asked to stop.
  func checkNotCancelled() throws(EngineError) {
    if isCancelled { throw Self.cancelledError }
  }

  var isCancelled: Bool {
    if cancellation.load(ordering: .relaxed) { return true }
    guard let request else { return false }
    return request.word.pointee.load(ordering: .relaxed) & request.bit != 0
  }

  /// The logits after the last token: one float a token of the vocabulary.
  package func withLogits<Result>(
    _ body: (UnsafeBufferPointer<Float>) throws(EngineError) -> Result
  ) throws(EngineError) -> Result {
    guard hasLogits else {
      throw EngineError(.invalidArgument, "session has no logits; step it first")
    }
    return try body(UnsafeBufferPointer(start: logits, count: model.vocabulary))
  }

  /// The tokens fed so far, oldest first.
  package func withTokens<Result>(
    _ body: (UnsafeBufferPointer<Int32>) throws(EngineError) -> Result
  ) throws(EngineError) -> Result {
    try body(UnsafeBufferPointer(start: tokens, count: position))
  }

  /// Forgets all tokens from `target` on.
  @export(interface)
  package func rewind(to target: Int) throws(EngineError) {
    guard target >= 0, target <= position else {
      throw EngineError(.invalidArgument, "position is \(target); allowed 0..\(position)")
    }
    guard canStand(at: target) else {
      throw EngineError(
        .invalidArgument,
        "position is \(target); the sliding window has dropped what it sees, allowed 0 or "
          + "\(firstPosition &+ model.shape.slidingWindow &- 1)..\(position)")
    }
    stand(at: target)
  }

  /// Becomes `other`, of the same model, context and type of cache, which is not used again.
  func take(_ other: Session) {
    (tokens, tokenMemory, room) = (other.tokens, other.tokenMemory, other.room)
    (logits, memory) = (other.logits, other.memory)
    (position, hasLogits) = (other.position, other.hasLogits)
    cache = other.cache
  }

  /// Whether the cache still holds what a token at `target` sees.
  func canStand(at target: Int) -> Bool {
    let window = model.shape.slidingWindow
    guard target > 0, window > 0 else { return true }
    return cache.firstPage &* pagePositions <= max(0, target &- window &+ 1)
  }

  /// Cuts tokens and cache to `target`, which `canStand`.
  func stand(at target: Int) {
    guard target < position else { return }
    position = target
    cache.truncate(to: target)
    hasLogits = false
  }
}
