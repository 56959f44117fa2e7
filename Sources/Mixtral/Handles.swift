// Handles: opaque pointers whose bits are a slot, its generation and a number of this copy of the
// library. They are looked up, never followed, so a stale, foreign or wrong handle is a status. Of
// which kind an object is, its slot says.
//
//   bits 0...15 slot   16...38 generation   39...52 nonce, never 0
//
// 53 bits in all: runtimes that keep numbers as doubles keep handles whole. Each slot's generations
// begin at a number of its own, so that a handle plus or minus a little is no other object's.
import Base
import Model
import Platform
import Sampling
import Synchronization
import Text

/// The kinds of object that have handles.
enum HandleKind {
  case model
  case session
  case sampler
  case detokenizer

  var name: String {
    switch self {
    case .model: "mixtral_model"
    case .session: "mixtral_session"
    case .sampler: "mixtral_sampler"
    case .detokenizer: "mixtral_detokenizer"
    }
  }
}

/// An object that handles stand for, of one of the kinds.
enum HandleObject: Sendable {
  case model(Model)
  case session(Session)
  case sampler(SamplerObject)
  case detokenizer(Detokenizer)

  var kind: HandleKind {
    switch self {
    case .model: .model
    case .session: .session
    case .sampler: .sampler
    case .detokenizer: .detokenizer
    }
  }

  /// Whether no call runs on it, after which none can begin.
  ///
  /// Calls hold a model themselves.
  func close() -> Bool {
    switch self {
    case .model: true
    case .session(let session): session.exclusiveUse.close()
    case .sampler(let sampler): sampler.exclusiveUse.close()
    case .detokenizer(let detokenizer): detokenizer.exclusiveUse.close()
    }
  }
}

extension HandleObject {
  /// Names the place where a cancel is told, for an object that can be cancelled: true for these.
  func listen(to word: UnsafePointer<Atomic<UInt64>>, _ bit: UInt64) -> Bool {
    guard case .session(let session) = self else { return false }
    session.request = (word, bit)
    return true
  }
}

/// A class whose objects handles stand for.
protocol Handled: AnyObject, Sendable {
  static var kind: HandleKind { get }
  var asHandleObject: HandleObject { get }
  /// The object itself; nil when it is of another kind.
  static func from(_ object: HandleObject) -> Self?
}

extension Model: Handled {
  static var kind: HandleKind { .model }
  var asHandleObject: HandleObject { .model(self) }

  static func from(_ object: HandleObject) -> Model? {
    guard case .model(let model) = object else { return nil }
    return model
  }
}

extension Session: Handled {
  static var kind: HandleKind { .session }
  var asHandleObject: HandleObject { .session(self) }

  static func from(_ object: HandleObject) -> Session? {
    guard case .session(let session) = object else { return nil }
    return session
  }
}

/// All live handles of this process.
final class HandleTable: @unchecked Sendable {
  private struct Slot {
    /// The number of its object, which no other object of the slot has.
    var generation: UInt64
    /// The last one of all that there are.
    let last: UInt64
    var object: HandleObject?
  }
  private struct State {
    /// Room for all slots, of which the first `used` have been in use.
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: mostHandles)
    var used = 0
    /// A ring of free slots, used first in, first out, so that a stale handle stays stale for long.
    let free = UnsafeMutablePointer<Int>.allocate(capacity: mostHandles)
    var firstFree = 0
    var freeCount = 0
    var live = 0
    /// A number from which those follow that the slots' generations begin with.
    let seed: UInt64

    /// A slot of a handle; nil when none has that number.
    func slot(_ index: Int) -> UnsafeMutablePointer<Slot>? {
      index >= 0 && index < used ? slots + index : nil
    }

    /// A slot for a new object; nil when all are in use.
    mutating func take() -> Int? {
      if freeCount > 0 {
        let index = free[firstFree]
        firstFree = (firstFree &+ 1) % mostHandles
        freeCount &-= 1
        return index
      }
      guard used < mostHandles else { return nil }
      let hash = withUnsafeBytes(of: (seed, used)) { XXH64.of($0) } & generations
      (slots + used).initialize(to: Slot(generation: hash, last: hash))
      used &+= 1
      return used &- 1
    }

    /// Gives a slot back; each is given back once, so that the ring has room.
    mutating func giveBack(_ index: Int) {
      guard freeCount < mostHandles else { return }
      free[(firstFree &+ freeCount) % mostHandles] = index
      freeCount &+= 1
    }
  }

  static let mostHandles = 65_535
  /// The bits of a generation.
  private static let generations: UInt64 = 1 << 23 - 1

  /// Nothing is allocated while the lock is held; pages that nothing was written to cost nothing.
  private let state = Lock(State(seed: platform_random()))
  /// For each slot the handle of the session there, 0 without one, and whether it was cancelled.
  ///
  /// Not behind the lock, which the code that a signal handler interrupts may hold.
  private let cancellations = UnsafeMutablePointer<Atomic<UInt64>>.allocate(capacity: mostHandles)
  /// How many of them are initialised.
  private let cancellationCount = Atomic<Int>(0)
  private static let cancelled: UInt64 = 1 << 63
  private let nonce: UInt64
  /// `platform_process`.
  private let process: UInt64
  /// The nonce of the process that this one was forked from, 0 for none.
  private let parentNonce: UInt64

  private init(parentNonce: UInt64) {
    process = platform_process()
    self.parentNonce = parentNonce
    var nonce = platform_random() & 0x3fff
    while nonce == 0 || nonce == parentNonce { nonce = (nonce &+ 1) & 0x3fff }
    self.nonce = nonce
  }

  deinit {
    // Another thread's table was first: no slot was used.
    state.withLock { state in
      state.slots.deallocate()
      state.free.deallocate()
    }
    cancellations.deallocate()
  }

  /// Bits of an unowned reference to the table in force; it lives as long as the process.
  private static let current = Atomic<UInt>(0)

  /// The table of this process.
  ///
  /// A forked child gets a fresh one: its parent's locks and threads mean nothing here, and its
  /// parent's handles are known by their nonce.
  static var shared: HandleTable {
    let bits = current.load(ordering: .acquiring)
    if let pointer = UnsafeRawPointer(bitPattern: bits) {
      let table = Unmanaged<HandleTable>.fromOpaque(pointer).takeUnretainedValue()
      if table.process == platform_process() { return table }
      return install(HandleTable(parentNonce: table.nonce), over: bits)
    }
    return install(HandleTable(parentNonce: 0), over: bits)
  }

  private static func install(_ table: HandleTable, over bits: UInt) -> HandleTable {
    let unmanaged = Unmanaged.passRetained(table)
    let exchange = current.compareExchange(
      expected: bits, desired: UInt(bitPattern: unmanaged.toOpaque()),
      ordering: .acquiringAndReleasing)
    if exchange.exchanged { return table }
    unmanaged.release()
    return shared
  }

  /// Registers an object; the table owns it until `free`.
  func add<Object: Handled>(_ object: Object) throws(EngineError) -> OpaquePointer {
    guard platform_refusals() == 0 else {
      throw EngineError(.outOfMemory, "the system refused memory")
    }
    let bits = state.withLock { state -> UInt64? in
      guard state.live < Self.mostHandles else { return nil }
      guard let index = state.take(), let slot = state.slot(index) else { return nil }
      slot.pointee.generation = (slot.pointee.generation &+ 1) & Self.generations
      slot.pointee.object = object.asHandleObject
      state.live &+= 1
      let bits =
        UInt64(truncatingIfNeeded: index) | slot.pointee.generation << 16 | nonce << 39
      let word = cancellations + index
      if index >= cancellationCount.load(ordering: .relaxed) {
        word.initialize(to: Atomic(0))
        cancellationCount.store(index &+ 1, ordering: .releasing)
      }
      if object.asHandleObject.listen(to: word, Self.cancelled) {
        word.pointee.store(bits, ordering: .releasing)
      }
      return bits
    }
    guard let bits, let handle = OpaquePointer(bitPattern: UInt(bits)) else {
      throw EngineError(
        .limitExceeded, "more than \(Self.mostHandles) objects are alive; free some")
    }
    return handle
  }

  /// The object of a handle.
  func object<Object: Handled>(
    _ handle: OpaquePointer?, _: Object.Type = Object.self
  ) throws(EngineError) -> Object {
    let bits = try check(handle, Object.kind.name)
    guard let found = find(bits) else { throw Self.stale(bits, Object.kind.name) }
    guard let object = Object.from(found) else {
      throw EngineError(
        .invalidHandle, "handle is a \(found.kind.name); expected a \(Object.kind.name)")
    }
    return object
  }

  /// Asks the call that runs on a session to stop; false when the handle is no live session's.
  ///
  /// For signal handlers too: it takes no lock, allocates nothing and waits for nobody.
  func cancel(_ handle: UnsafeMutableRawPointer) -> Bool {
    let bits = UInt64(UInt(bitPattern: handle))
    let index = Int(bits & 0xffff)
    guard bits >> 39 == nonce, index < cancellationCount.load(ordering: .acquiring) else {
      return false
    }
    let found = cancellations[index].compareExchange(
      expected: bits, desired: bits | Self.cancelled, ordering: .relaxed
    ).original
    return found & ~Self.cancelled == bits
  }

  /// Drops the object of a handle of any kind.
  func free(_ handle: OpaquePointer) throws(EngineError) {
    let bits = UInt64(UInt(bitPattern: handle))
    // A forked child shares no threads with its parent's objects: their memory stays, nothing is
    // joined.
    if parentNonce != 0, bits >> 39 == parentNonce { return }
    _ = try check(handle, "handle")
    guard let object = find(bits) else { throw Self.stale(bits, "handle") }
    guard object.close() else {
      throw EngineError(.busy, "a call runs on this \(object.kind.name); not freed")
    }
    // The object is released after the lock: a last reference joins threads.
    _ = state.withLock { state -> HandleObject? in
      let index = Int(bits & 0xffff)
      guard let slot = state.slot(index), Self.holds(slot, bits) else { return nil }
      let last = slot.pointee.object
      slot.pointee.object = nil
      cancellations[index].store(0, ordering: .relaxed)
      state.live &-= 1
      // A slot that has had all generations is never used again.
      if slot.pointee.generation != slot.pointee.last { state.giveBack(index) }
      return last
    }
  }

  private func find(_ bits: UInt64) -> HandleObject? {
    guard bits >> 39 == nonce else { return nil }
    return state.withLock { state in
      let index = Int(bits & 0xffff)
      guard let slot = state.slot(index), Self.holds(slot, bits) else { return nil }
      return slot.pointee.object
    }
  }

  /// Whether a slot has the object of a handle: its generation, which each object has its own of.
  private static func holds(_ slot: UnsafeMutablePointer<Slot>, _ bits: UInt64) -> Bool {
    slot.pointee.object != nil && slot.pointee.generation == bits >> 16 & generations
  }

  private func check(_ handle: OpaquePointer?, _ name: String) throws(EngineError) -> UInt64 {
    guard let handle else { throw EngineError(.invalidHandle, "\(name) is NULL") }
    let bits = UInt64(UInt(bitPattern: handle))
    if parentNonce != 0, bits >> 39 == parentNonce {
      throw EngineError(
        .forked, "handle belongs to the parent process; load the model again after fork")
    }
    return bits
  }

  private static func stale(_ bits: UInt64, _ name: String) -> EngineError {
    EngineError(
      .invalidHandle,
      "\(name) \(String(bits, radix: 16)) is no live handle: freed, or not of this library")
  }
}
