// Samplers: creating, drawing, reporting.
import Base
import CMixtral
import Kernels
import Model
import Platform
import Sampling

/// A sampler behind a handle.
final class SamplerObject: Handled, @unchecked Sendable {
  var sampler: Sampler
  var hasDrawn = false
  let reportCount: Int
  let filter: Sampler.Filter?
  let exclusiveUse = ExclusiveUse("sampler")

  /// The seed that the random numbers began with.
  let seed: UInt64

  private init(_ sampler: Sampler, _ options: SamplerOptions, filter: Sampler.Filter?) {
    self.sampler = sampler
    seed = options.seed
    reportCount = Int(options.report)
    self.filter = filter
  }

  /// A sampler of what a caller gave.
  static func created(_ given: mixtral_sampler_options) throws(EngineError) -> SamplerObject {
    let options = try samplerOptions(given)
    var filter: Sampler.Filter?
    if let callback = given.filter {
      let user = given.user
      filter = { logits in
        stops { callback(logits.baseAddress, UInt64(clamping: logits.count), user) }
      }
    }
    return SamplerObject(try Sampler(options), options, filter: filter)
  }

  static var kind: HandleKind { .sampler }
  var asHandleObject: HandleObject { .sampler(self) }

  static func from(_ object: HandleObject) -> SamplerObject? {
    guard case .sampler(let sampler) = object else { return nil }
    return sampler
  }
}

private func samplerOptions(
  _ given: mixtral_sampler_options
) throws(EngineError) -> SamplerOptions {
  var options = SamplerOptions()
  options.topK = given.top_k
  options.temperature = given.temperature
  options.topP = given.top_p
  options.minP = given.min_p
  options.typicalP = given.typical_p
  options.repetitionPenalty = given.repetition_penalty
  options.frequencyPenalty = given.frequency_penalty
  options.presencePenalty = given.presence_penalty
  options.penaltyWindow = given.penalty_window
  options.report = given.report
  options.seed = try seed(given)
  guard given.bias_count <= 1_048_576 else {
    throw EngineError(
      .limitExceeded, "bias_count is \(given.bias_count); allowed 0..1048576")
  }
  let base: UnsafePointer<mixtral_logit_bias>? = given.bias
  let bias = try array(base, Int(given.bias_count), "bias")
  var entries = Growable<(token: Int32, bias: Float)>()
  try entries.reserve(bias.count)
  for entry in bias { try entries.append((token: entry.token, bias: entry.bias)) }
  options.bias = try entries.array()
  try options.check()
  return options
}

/// The seed of the options, or one that the system draws.
private func seed(_ given: mixtral_sampler_options) throws(EngineError) -> UInt64 {
  switch given.random_seed {
  case 0: return given.seed
  case 1:
    guard given.seed == 0 else {
      throw EngineError(
        .invalidArgument, "seed is \(given.seed) with random_seed 1, which draws one; allowed 0")
    }
    return platform_random()
  default:
    throw EngineError(.invalidArgument, "random_seed is \(given.random_seed); allowed 0..1")
  }
}

@c @implementation
public func mixtral_sampler_create(
  _ sampler: UnsafeMutablePointer<OpaquePointer?>?,
  _ options: UnsafePointer<mixtral_sampler_options>?
) -> mixtral_status {
  sampler?.pointee = nil
  return call { () throws(EngineError) in
    let out = try need(sampler, "the pointer to the sampler")
    let given = try Mixtral.options(
      options, mixtral_sampler_options(), "mixtral_sampler_options")
    out.pointee = try HandleTable.shared.add(try SamplerObject.created(given))
  }
}

@c @implementation
public func mixtral_sampler_seed(
  _ seed: UnsafeMutablePointer<UInt64>?, _ sampler: OpaquePointer?
) -> mixtral_status {
  seed?.pointee = 0
  return call { () throws(EngineError) in
    let out = try need(seed, "the pointer to the seed")
    let object: SamplerObject = try HandleTable.shared.object(sampler)
    try object.exclusiveUse.hold { () throws(EngineError) in out.pointee = object.seed }
  }
}

@c @implementation
public func mixtral_sample(
  _ token: UnsafeMutablePointer<mixtral_token>?, _ session: OpaquePointer?,
  _ sampler: OpaquePointer?
) -> mixtral_status {
  token?.pointee = 0
  return call { () throws(EngineError) in
    let out = try need(token, "the pointer to the token")
    let session: Session = try HandleTable.shared.object(session)
    try session.hold { () throws(EngineError) in
      try session.withLogits { logits throws(EngineError) in
        out.pointee = try draw(sampler, session, logits)
      }
    }
  }
}

private func draw(
  _ sampler: OpaquePointer?, _ session: Session, _ logits: UnsafeBufferPointer<Float>
) throws(EngineError) -> mixtral_token {
  guard let sampler else { return try draw(nil as SamplerObject?, session, logits) }
  let object: SamplerObject = try HandleTable.shared.object(sampler)
  var token: mixtral_token = 0
  try object.exclusiveUse.hold { () throws(EngineError) in
    token = try draw(object, session, logits)
  }
  return token
}

/// Draws from a session's logits; greedy without a sampler.
///
/// Both are held by the call.
func draw(
  _ object: SamplerObject?, _ session: Session, _ logits: UnsafeBufferPointer<Float>
) throws(EngineError) -> mixtral_token {
  let kernels = session.model.table.scores
  guard let object else { return try Sampler.greedy(logits, kernels: kernels) }
  var token: mixtral_token = 0
  do throws(EngineError) {
    try session.withTokens { history throws(EngineError) in
      token = try object.sampler.draw(
        logits: logits, history: history, kernels: kernels, filter: object.filter)
    }
  } catch {
    // A check that failed half-way has left the sampler half changed, as a failure would have.
    if error.kind == .internal { object.exclusiveUse.breakDown() }
    throw error
  }
  object.hasDrawn = true
  return token
}

@c @implementation
public func mixtral_sample_report(
  _ count: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutablePointer<mixtral_candidate>?,
  _ capacity: Int, _ sampler: OpaquePointer?
) -> mixtral_status {
  count?.pointee = 0
  return call { () throws(EngineError) in
    let object: SamplerObject = try HandleTable.shared.object(sampler)
    try object.exclusiveUse.hold { () throws(EngineError) in
      try writeReport(of: object, count, buffer, capacity)
    }
  }
}

private func writeReport(
  of object: SamplerObject, _ count: UnsafeMutablePointer<Int>?,
  _ buffer: UnsafeMutablePointer<mixtral_candidate>?, _ capacity: Int
) throws(EngineError) {
  guard object.reportCount > 0, object.hasDrawn else {
    throw EngineError(
      .invalidArgument,
      object.hasDrawn
        ? "the sampler was created with report 0; allowed 1 or more" : "nothing was drawn yet")
  }
  let report = try object.sampler.report
  guard let out = try outputBuffer(for: report.count, count, buffer, capacity) else { return }
  for (i, candidate) in report.enumerated() {
    out[i] = mixtral_candidate(
      token: candidate.token, logit: candidate.logit, log_probability: candidate.logProbability)
  }
}
