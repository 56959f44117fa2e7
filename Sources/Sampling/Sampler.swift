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
  private let options: SamplerOptions
  private var random: SplitMix64
  private var penalties: Penalties
  private var filters: Filters
  private var reported = Growable<Candidate>()
  private var best = Selection()
  /// What the filter callback may change.
  private var changeable = Growable<Float>()
  /// A number for each token: its logit after the steps so far, in the end its weight in the draw.
  private var scores = Growable<Double>()

  /// A sampler whose random numbers start at the seed.
  ///
  /// - Throws: what `SamplerOptions.check` throws.
  package init(_ options: SamplerOptions) throws(EngineError) {
    try options.check()
    self.options = options
    random = SplitMix64(seed: options.seed)
    penalties = Penalties(options)
    filters = Filters(options)
  }

  /// What the last draw saw, for a sampler whose `report` option is above 0.
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
  ///   - filter: Gets a copy of the logits, which it may change; true stops the draw.
  /// - Returns: A token of the vocabulary.
  /// - Throws: `numeric` for a NaN or an infinity or when every token is banned; `invalidArgument`
  ///   for a bias or a report beyond the vocabulary or no logits; `cancelled` when the filter
  ///   says so.
  package mutating func draw(
    logits: UnsafeBufferPointer<Float>, history: UnsafeBufferPointer<Int32>,
    filter: ((UnsafeMutableBufferPointer<Float>) -> Bool)?
  ) throws(EngineError) -> Int32 {
    try unsafe checkLogits(logits, "")
    try check(vocabulary: logits.count)
    try prepare(vocabulary: logits.count, hasFilter: unsafe filter != nil)
    if let filter = unsafe filter {
      try changeable.replaceEach { token, _ throws(EngineError) in try unsafe logits.at(token) }
      let changed = unsafe try changeable.all()
      guard !(unsafe filter(changed)) else {
        throw EngineError(.cancelled, "the sampler's filter ended the draw")
      }
      try unsafe checkLogits(UnsafeBufferPointer(changed), " after the filter")
      try unsafe load(UnsafeBufferPointer(changed))
    } else {
      try unsafe load(logits)
    }
    var place = 0
    while place < options.bias.count {
      let entry = try options.bias.at(place)
      let token = Int(entry.token)
      try scores.put(try scores.at(token) + Double(entry.bias), at: token)
      place &+= 1
    }
    try unsafe penalties.apply(to: &scores, history: history)
    let mostLikely = try indexOfLargest(scores)
    guard try scores.at(mostLikely) > -.infinity else {
      throw allBanned(scores.count, " with the bias")
    }
    // From here on only a fault of the library fails.
    var chosen = mostLikely
    if options.temperature > 0 {
      try filters.apply(to: &scores)
      let total = try weigh(&scores, temperature: Double(options.temperature))
      chosen = try choose(from: scores, total: total, fraction: random.nextFraction())
    }
    if options.report > 0 { try unsafe makeReport(logits, chosen) }
    return Int32(truncatingIfNeeded: chosen)
  }

  /// The token with the highest logit, ties to the lower id.
  ///
  /// - Throws: `numeric` for a NaN or an infinity or when every logit is minus infinity;
  ///   `invalidArgument` for no logits.
  package static func greedy(_ logits: UnsafeBufferPointer<Float>) throws(EngineError) -> Int32 {
    Int32(truncatingIfNeeded: try unsafe checkLogits(logits, ""))
  }

  private mutating func prepare(vocabulary: Int, hasFilter: Bool) throws(EngineError) {
    if hasFilter, changeable.count != vocabulary {
      changeable = try Growable(filled: 0, count: vocabulary)
    }
    try penalties.prepare(vocabulary: vocabulary)
    guard scores.count != vocabulary else { return }
    scores = try Growable(filled: 0, count: vocabulary)
    if options.temperature > 0 { try filters.prepare(vocabulary: vocabulary) }
    if options.report > 0 {
      try best.reserve(Int(options.report))
    }
  }

  /// What the options say of tokens, which a sampler without a model could not check before.
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
    _ logits: UnsafeBufferPointer<Float>, _ chosen: Int
  ) throws(EngineError) {
    try unsafe load(logits)
    let maximum = try largest(scores)
    var total = 0.0
    var token = 0
    while token < scores.count {
      total += Elementary.exp(try scores.at(token) - maximum)
      token &+= 1
    }
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

  /// Sets the scores to the logits; as many as there are scores.
  private mutating func load(_ logits: UnsafeBufferPointer<Float>) throws(EngineError) {
    try scores.replaceEach { token, _ throws(EngineError) in Double(try unsafe logits.at(token)) }
  }
}

/// The index of the largest score, the first of equals.
func indexOfLargest(_ scores: Growable<Double>) throws(EngineError) -> Int {
  var index = 0
  var largest = -Double.infinity
  var token = 0
  while token < scores.count {
    let score = try scores.at(token)
    if score > largest { (index, largest) = (token, score) }
    token &+= 1
  }
  return index
}

private func allBanned(_ count: Int, _ place: String) -> EngineError {
  EngineError(
    .numeric,
    "every token is banned: all \(count) logits are -inf\(place); allowed at least one above")
}

/// Refuses logits that no token can be chosen from and finds the largest one, the first of equals.
@discardableResult
private func checkLogits(
  _ logits: UnsafeBufferPointer<Float>, _ place: String
) throws(EngineError) -> Int {
  guard (1...Int(Int32.max)).contains(logits.count) else {
    throw EngineError(
      .invalidArgument, "there are \(logits.count) logits; allowed 1..\(Int32.max): step first")
  }
  var index = 0
  var largest = -Float.infinity
  var token = 0
  while token < logits.count {
    let logit = try unsafe logits.at(token)
    // False for a NaN as well.
    guard logit < .infinity else {
      throw EngineError(
        .numeric, "logit of token \(token) is \(logit)\(place); allowed finite numbers and -inf")
    }
    if logit > largest { (index, largest) = (token, logit) }
    token &+= 1
  }
  guard largest > -.infinity else { throw allBanned(logits.count, place) }
  return index
}
