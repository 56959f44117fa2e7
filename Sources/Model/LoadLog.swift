// The sentences of a load for a host that asked for them: what the file is, and what was chosen.
// One sentence a call, in the form of errors: lower case, no full stop, names from files quoted.
import Base
import Formats
import Forward
import Kernels
import Text
import Workers

/// The place where a host takes the sentences of a load.
package struct LoadLog {
  /// With the numbers of the header.
  package enum Level: UInt32, Sendable {
    case info = 0
    /// Something that is not as one would expect, and yet no error.
    case warning = 1
  }

  /// Called with each sentence; true stops the load.
  ///
  /// Nil: nothing is said, nor put together.
  package var write: ((Level, String) -> Bool)?

  private func say(
    _ text: @autoclosure () -> String, _ level: Level = .info
  ) throws(EngineError) {
    guard let write, write(level, text()) else { return }
    throw EngineError(.cancelled, "loading was stopped by the log callback")
  }

  func warn(_ text: @autoclosure () -> String) throws(EngineError) { try say(text(), .warning) }

  /// The file, the shape, the types of tensors, what is not used, the window.
  @inline(never)
  func describe(
    _ checkpoint: Checkpoint, _ plan: WeightPlan, _ shape: Hyperparameters, slidingWindow: Int64
  ) throws(EngineError) {
    guard write != nil else { return }
    try say(
      "file \(checkpoint.firstFile.name): parts \(checkpoint.partCount), "
        + "bytes \(checkpoint.byteCount), \(checkpoint.format)")
    let experts =
      shape.experts == 0 ? "dense" : "experts \(shape.experts), used \(shape.expertsPerToken)"
    try say(
      "architecture 'llama': layers \(shape.layers), hidden width \(shape.hiddenWidth), "
        + "heads \(shape.heads) of width \(shape.headWidth), key-value heads \(shape.kvHeads), "
        + "feed-forward width \(shape.feedForwardWidth), \(experts), "
        + "vocabulary \(plan.vocabulary), context \(shape.contextLength)")
    let types = checkpoint.typeSums().map { "\($0.count) \($0.type.name)" }
    try say("tensors \(checkpoint.tensors.count): \(types.joined(separator: ", "))")
    try describeUnused(checkpoint, plan)
    let source =
      slidingWindow == 0
      ? "as the file says" : slidingWindow < 0 ? "switched off" : "as the options say"
    let window = shape.slidingWindow == 0 ? "none" : "\(shape.slidingWindow) positions"
    try say("sliding window: \(window), \(source)")
  }

  private func describeUnused(
    _ checkpoint: Checkpoint, _ plan: WeightPlan
  ) throws(EngineError) {
    let count = checkpoint.tensors.count &- plan.usedTensors
    guard count > 0 else { return }
    var names: [String] = []
    for index in below(checkpoint.tensors.count) where names.count < 3 {
      if try !plan.uses.at(index) {
        names.append(quoted(try checkpoint.tensors.at(index).name))
      }
    }
    try say(
      "tensors that are not part of the model and are not used: "
        + names.joined(separator: ", ") + (count > 3 ? " and \(count &- 3) more" : ""), .warning)
  }

  /// The tokenizer's sentences about what the file says and was not believed.
  private func describe(_ tokenizer: Tokenizer) throws(EngineError) {
    guard write != nil else { return }
    for index in below(tokenizer.warnings.count) {
      let warning = try tokenizer.warnings.text(index)
      try say(warning, .warning)
    }
  }

  /// The tokenizer, the kernels and the threads.
  @inline(never)
  func describe(
    _ tokenizer: Tokenizer, _ workers: Workers, asked: Int, _ table: KernelTable
  ) throws(EngineError) {
    try describe(tokenizer)
    try say("kernels: \(table.name)")
    if workers.count == asked {
      try say("threads: \(workers.count)")
    } else {
      try say(
        "threads: \(workers.count) of \(asked) that were asked for; the system has no more",
        .warning)
    }
  }

  /// The memory, right before the weights are read.
  @inline(never)
  func describe(_ plan: WeightPlan, scratch: Int, rows: Int) throws(EngineError) {
    var byteCount = 0
    for matrix in plan.matrices where plan.isMapped(matrix) { byteCount &+= matrix.panelByteCount }
    if plan.mapsPacked, byteCount == 0 {
      try say("weights: to be mapped, but the file is not packed, so they are read", .warning)
    }
    try say("weights: \(byteCount) bytes mapped, \(plan.byteCount) bytes read into memory")
    try say("buffers: \(scratch) bytes for passes of \(rows) rows")
  }
}
