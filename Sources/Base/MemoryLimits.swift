// Whether memory is there, asked before it is touched: the kernel promises more than there is and
// kills the process that takes it at its word. What the limits are: Sources/Platform/resources.c.
import Platform

/// The bytes that this process can still take, at one moment.
package struct MemoryLimits: Sendable {
  /// More than this ends the process; `UInt64.max` when nothing is known.
  package let allowed: UInt64
  /// More than this is there only when others give memory back; `UInt64.max` when nothing is known.
  package let available: UInt64
  /// More than this cannot be mapped.
  package let addresses: UInt64
  private let kind: UInt32
  private let limit: UInt64
  private let addressLimit: UInt64

  /// Asks the system; `root` is put in front of /proc and /sys.
  @export(interface)
  package init(root: String = "") {
    let memory = unsafe root.withCString { unsafe platform_memory_left($0) }
    var addressLimit = UInt64.max
    addresses = unsafe root.withCString { unsafe platform_addresses_left($0, &addressLimit) }
    self.addressLimit = addressLimit
    allowed = memory.allowed
    available = memory.available
    kind = memory.kind
    limit = memory.limit
  }

  /// Throws `.outOfMemory` when `memory` bytes cannot be had, or `addresses` bytes not be mapped.
  ///
  /// `what` begins the sentence, `hint` ends it.
  @export(interface)
  package func check(
    memory: UInt64, addresses needed: UInt64, _ what: String, hint: String = ""
  ) throws(EngineError) {
    guard memory <= allowed else {
      throw EngineError(
        .outOfMemory, "\(what) \(memory) bytes of memory; allowed are \(allowed)\(source)\(hint)")
    }
    guard needed <= addresses else {
      throw EngineError(
        .outOfMemory,
        "\(what) \(needed) bytes of addresses; allowed are \(addresses), which RLIMIT_AS of "
          + "\(addressLimit) leaves")
    }
  }

  private var source: String {
    switch Int(kind) {
    case Int(PLATFORM_LIMIT_GROUP): ", which the control group's limit of \(limit) leaves"
    case Int(PLATFORM_LIMIT_MACHINE): ", which is all that the machine has"
    default: ""
    }
  }
}
