// Chooses a token from logits. The arithmetic is in double precision with the engine's own
// exponential and logarithm, in a fixed order: a seed gives the same tokens on every machine.

import Base
import Kernels

/// A token with what the model thought of it, before filter, bias, penalties and temperature.
package struct Candidate: BitwiseCopyable, Equatable, Sendable {
  /// The token.
  package var token: Int32
  /// The model's logit.
  package var logit: Float
  /// The natural logarithm of the probability that goes with it; minus infinity for probability 0.
  package var logProbability: Float

  /// A candidate.
  package init(token: Int32, logit: Float, logProbability: Float) {
    (self.token, self.logit, self.logProbability) = (token, logit, logProbability)
  }
}

/// The chain from logits to a token: filter callback, bias, penalties, and then for a temperature
/// above zero top-k, typical, top-p, min-p, temperature and the draw.
///
/// The first draw sizes the workspaces for its vocabulary; later ones of that vocabulary allocate
/// nothing. A draw that fails leaves the random numbers and the report as they were.
package struct Sampler: Sendable {
  /// Gets a copy of the logits, which it may change; true stops the draw.
  package typealias Filter = (UnsafeMutableBufferPointer<Float>) -> Bool

  private let options: SamplerOptions
  private var random: SplitMix64
  private var penalties: Penalties
  private var filters: Filters
  private var reported = Growable<Candidate>()
  private var best = Selection()
  /// The logits that the filter callback may change.
  private var changeable = Growable<Float>()
  private var scores = Scores()
  /// The vocabulary that there are workspaces for.
  private var prepared = 0

  /// A sampler whose random numbers start at the seed.
  ///
  /// - Throws: what `SamplerOptions.check` throws.
  @export(interface)
  package init(_ options: SamplerOptions) throws(EngineError) {
    try options.check()
    self.options = options
    random = SplitMix64(seed: options.seed)
    penalties = Penalties(options)
    filters = Filters(options)
  }

  /// The candidates of the last draw, for a sampler whose `report` option is above 0.
  ///
  /// First the token drawn, then the `report` most likely ones best first,
  /// ties to the lower id. Empty before the first draw.
  package var report: [Candidate] {
    get throws(EngineError) { try reported.array() }
  }

  /// Chooses the next token.
  ///
  /// - Parameters:
  ///   - logits: One number for each token of the vocabulary; not changed.
  ///   - history: The tokens of the session, oldest first, for the penalties.
  ///   - kernels: Those of the model's table; the token is the same with all.
  ///   - filter: Asked before anything else, if there is one.
  /// - Returns: A token of the vocabulary.
  /// - Throws: `numeric` for a NaN or an infinity or when every token is banned; `invalidArgument`
  ///   for a bias or a report beyond the vocabulary or no logits; `cancelled` when the filter
  ///   says so.
  @export(interface)
  package mutating func draw(
    logits: UnsafeBufferPointer<Float>, history: UnsafeBufferPointer<Int32>,
    kernels: ScoreKernels, filter: Filter?
  ) throws(EngineError) -> Int32 {
    try unsafe scores.load(logits, kernels, mayChange: mayChange, "")
    try check(vocabulary: logits.count)
    try prepare(vocabulary: logits.count, hasFilter: unsafe filter != nil)
    if let filter = unsafe filter {
      try changeable.replaceEach { token, _ throws(EngineError) in try unsafe logits.at(token) }
      let changed = unsafe try changeable.all()
      guard !(unsafe filter(changed)) else {
        throw EngineError(.cancelled, "the sampler's filter ended the draw")
      }
      try unsafe scores.load(
        UnsafeBufferPointer(changed), kernels, mayChange: mayChange, " after the filter")
    }
    unsafe try change(history)
    // From here on only a fault of the library fails.
    var chosen = scores.mostLikely
    if options.temperature > 0 { chosen = try drawByWeight() }
    if options.report > 0 { try unsafe makeReport(logits, kernels, chosen) }
    return Int32(truncatingIfNeeded: chosen)
  }

  /// Whether scores may differ from logits.
  private var mayChange: Bool { options.bias.count > 0 || penalties.isOn }

  /// Applies bias and penalties.
  private mutating func change(_ history: UnsafeBufferPointer<Int32>) throws(EngineError) {
    guard mayChange else { return }
    for place in below(options.bias.count) {
      let entry = try options.bias.at(place)
      let token = Int(entry.token)
      try scores.put(try scores.at(token) + Double(entry.bias), at: token)
    }
    try unsafe penalties.apply(to: &scores, history: history)
    try scores.settle()
    guard scores.largest > -.infinity else { throw allBanned(scores.count, " with the bias") }
  }

  /// Filters and draws.
  ///
  /// The weights of the tokens are added up in the order of their ids, also after filters that rank
  /// them; which token a fraction stands for is part of the library's promise.
  /// The largest score has weight 1, so the sum is never 0; minus infinity has 0. No temperature
  /// above zero is too low or too high: the differences are at most 0, and their quotients stay
  /// finite.
  private mutating func drawByWeight() throws(EngineError) -> Int {
    let temperature = Double(options.temperature)
    guard try filters.apply(to: &scores) else {
      let total = try scores.weigh(temperature: temperature).total
      return try scores.choose(
        total: total, fraction: random.nextFraction(), temperature: temperature)
    }
    return try filters.draw(temperature: temperature, scores.kernels, &random)
  }

  /// The token with the highest logit, ties to the lower id.
  ///
  /// - Throws: `numeric` for a NaN or an infinity or when every logit is minus infinity;
  ///   `invalidArgument` for no logits.
  @export(interface)
  package static func greedy(
    _ logits: UnsafeBufferPointer<Float>, kernels: ScoreKernels
  ) throws(EngineError) -> Int32 {
    Int32(truncatingIfNeeded: try unsafe scan(logits, kernels, nil, "").token)
  }

  private mutating func prepare(vocabulary: Int, hasFilter: Bool) throws(EngineError) {
    if hasFilter, changeable.count != vocabulary {
      changeable = try Growable(filled: 0, count: vocabulary)
    }
    try penalties.prepare(vocabulary: vocabulary)
    guard vocabulary != prepared else { return }
    if options.temperature > 0 { try filters.prepare(vocabulary: vocabulary) }
    if options.report > 0 {
      try best.reserve(Int(options.report))
    }
    prepared = vocabulary
  }

  /// Checks what the options say of tokens, which a sampler without a model could not check before.
  private func check(vocabulary: Int) throws(EngineError) {
    guard Int(options.report) <= vocabulary else {
      throw EngineError(
        .invalidArgument, "report is \(options.report); allowed 0..\(vocabulary), the vocabulary")
    }
    for (index, entry) in options.bias.enumerated() where Int(entry.token) >= vocabulary {
      throw EngineError(
        .invalidArgument, "bias[\(index)].token is \(entry.token); allowed 0..\(vocabulary - 1)")
    }
  }

  /// Notes what the model thought of the token drawn and of the most likely ones.
  private mutating func makeReport(
    _ logits: UnsafeBufferPointer<Float>, _ kernels: ScoreKernels, _ chosen: Int
  ) throws(EngineError) {
    try unsafe scores.load(logits, kernels, mayChange: false, "")
    let maximum = scores.largest
    let total = try scores.weigh(temperature: 1).total
    let logTotal = Elementary.log(total)
    try best.takeBest(Int(options.report), scores)
    try best.sort()
    if reported.count == 0 {
      reported = try Growable(
        filled: Candidate(token: 0, logit: 0, logProbability: 0), count: best.count &+ 1)
    }
    try reported.replaceEach { place, _ throws(EngineError) in
      let token = place == 0 ? chosen : Int(try best.at(place &- 1).token)
      return Candidate(
        token: Int32(truncatingIfNeeded: token), logit: try unsafe logits.at(token),
        logProbability: Float((try scores.at(token) - maximum) - logTotal))
    }
  }
}
