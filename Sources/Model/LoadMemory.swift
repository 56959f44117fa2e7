// The memory that a load is going to take, compared with what there is before it takes it. A host
// that gives the memory itself (`LoadOptions.host`) knows what it has: nothing is compared then.
import Base
import Formats

/// Bytes that a load takes.
struct LoadMemory {
  /// Weights that are read into memory.
  let weights: UInt64
  /// The buffers of a pass, which are mapped already and not yet touched.
  let buffers: UInt64
  /// Files that stay mapped, whose pages the system takes back by itself.
  let mapped: UInt64

  @inline(never)
  init(_ plan: WeightPlan, _ checkpoint: Checkpoint, scratch: Int) {
    weights = UInt64(clamping: plan.byteCount)
    buffers = UInt64(clamping: scratch)
    var mapped: UInt64 = 0
    for matrix in plan.matrices where plan.isMapped(matrix) { mapped = checkpoint.byteCount }
    self.mapped = mapped
  }

  var byteCount: UInt64 { Self.sum(weights, buffers) }

  private static func sum(_ one: UInt64, _ other: UInt64) -> UInt64 {
    let (sum, overflow) = one.addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  /// Throws `.outOfMemory` when the system cannot have it; tells the log of it, with a warning when
  /// it is not there yet.
  @inline(never)
  func check(_ plan: WeightPlan, rows: Int, _ options: LoadOptions) throws(EngineError) {
    try options.log.describe(plan, scratch: Int(clamping: buffers), rows: rows)
    guard options.host == nil else { return }
    let limits = MemoryLimits()
    try limits.check(
      memory: byteCount, addresses: Self.sum(weights, mapped),
      "the model (weights \(weights), buffers \(buffers)) needs",
      hint: mapped > 0 ? "" : "; a packed file that is mapped needs \(buffers)")
    guard byteCount > limits.available else { return }
    try options.log.warn(
      "memory: \(byteCount) bytes are needed, \(limits.available) are available now; others have "
        + "to give some back")
  }
}
