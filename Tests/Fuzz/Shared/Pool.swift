// The objects of a program of calls: what the library should know of them, and handles that it
// should not know.
import CMixtral

enum ObjectKind { case model, session, sampler, detokenizer }

/// An object of the library, living or freed, and what is known of it.
struct KnownObject {
  let handle: OpaquePointer
  let kind: ObjectKind
  var isAlive = true
  /// The pair of models that it belongs to.
  var group = 0
  /// The model of a session.
  var model: OpaquePointer?
  var context = 0
  var cacheType = MIXTRAL_CACHE_F16
  /// All tokens that a session was fed.
  var tokens: [mixtral_token] = []
}

/// All objects of one program.
struct Pool {
  var objects: [KnownObject] = []

  /// The living object of a handle.
  func find(_ handle: OpaquePointer?, _ kind: ObjectKind? = nil) -> Int? {
    guard let handle else { return nil }
    return objects.firstIndex {
      $0.isAlive && $0.handle == handle && (kind == nil || $0.kind == kind)
    }
  }

  /// Most often a living object of a kind; else NULL, a freed one, another kind, any bits.
  func choose(_ kind: ObjectKind, _ choices: inout Choices) -> OpaquePointer? {
    let living = objects.filter { $0.isAlive && $0.kind == kind }
    let way = choices.byte()
    if way < 224, !living.isEmpty { return living[Int(way) % living.count].handle }
    let any = choices.pick(objects).handle
    switch way & 3 {
    case 0: return any
    case 1: return OpaquePointer(bitPattern: UInt(bitPattern: any) ^ 1 << UInt(choices.below(64)))
    case 2: return OpaquePointer(bitPattern: UInt(truncatingIfNeeded: choices.number()))
    default: return nil
    }
  }

  /// Notes an object that was made.
  mutating func add(_ handle: OpaquePointer?, _ kind: ObjectKind, group: Int = 0) -> Int {
    guard let handle else { finding("OK, and no \(kind)") }
    require(find(handle) == nil, "a handle is given twice")
    objects.append(KnownObject(handle: handle, kind: kind, group: group))
    return objects.count - 1
  }
}

/// Lends options in memory of exactly the size that they claim, which may be any from 4 on.
func withOptions<Options, Result>(
  _ options: Options, size: UInt32, tail: UInt8 = 0, _ body: (UnsafePointer<Options>) -> Result
) -> Result {
  let claimed = Int(size)
  let byteCount = min(max(claimed, 4), 4096)
  let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 8)
  defer { memory.deallocate() }
  memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
  withUnsafeBytes(of: options) { bytes in
    UnsafeMutableRawBufferPointer(start: memory, count: byteCount)
      .copyBytes(from: bytes.prefix(byteCount))
  }
  memory.storeBytes(of: size, as: UInt32.self)
  if byteCount > MemoryLayout<Options>.size {
    memory.storeBytes(of: tail, toByteOffset: byteCount - 1, as: UInt8.self)
  }
  return body(UnsafePointer(memory.assumingMemoryBound(to: Options.self)))
}

/// The size of a struct, or now and then another.
func structSize<Options>(_: Options.Type, _ choices: inout Choices) -> UInt32 {
  let size = UInt32(MemoryLayout<Options>.size)
  let way = choices.byte()
  if way < 232 { return size }
  return [0, 3, 4, 8, size - 4, size + 8, 4096, 4097, .max][Int(way) % 9]
}
