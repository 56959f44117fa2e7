// Chooses a token from logits. The arithmetic is in double precision with the engine's own
// exponential and logarithm, in a fixed order: a seed gives the same tokens on every machine.

import Formats
import Kernels

/// A token with what the model thought of it, before filter, bias, penalties and temperature.
package struct Candidate: Equatable, Sendable {
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
  private var reported: [Candidate] = []
  private var best = Selection()
  /// What the filter callback may change.
  private var changeable: [Float] = []
  /// A number for each token: its logit after the steps so far, in the end its weight in the draw.
  private var scores: [Double] = []

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
  package var report: [Candidate] { reported }

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
    let logits = unsafe logits.span
    try checkLogits(logits, "")
    try check(vocabulary: logits.count)
    prepare(vocabulary: logits.count, hasFilter: unsafe filter != nil)
    if let filter = unsafe filter {
      for i in logits.indices { changeable[i] = logits[i] }
      let isStopped = unsafe changeable.withUnsafeMutableBufferPointer { unsafe filter($0) }
      guard !isStopped else { throw EngineError(.cancelled, "the sampler's filter ended the draw") }
      let changed = changeable
      try checkLogits(changed.span, " after the filter")
      load(changed.span, into: &scores)
    } else {
      load(logits, into: &scores)
    }
    for entry in options.bias { scores[Int(entry.token)] += Double(entry.bias) }
    penalties.apply(to: &scores, history: unsafe history.span)
    let mostLikely = indexOfLargest(scores)
    guard scores[mostLikely] > -.infinity else { throw allBanned(scores.count, " with the bias") }
    // From here on nothing fails.
    var chosen = mostLikely
    if options.temperature > 0 {
      filters.apply(to: &scores)
      let total = weigh(&scores, temperature: Double(options.temperature))
      chosen = choose(from: scores, total: total, fraction: random.nextFraction())
    }
    if options.report > 0 { makeReport(logits, chosen) }
    return Int32(truncatingIfNeeded: chosen)
  }

  /// The token with the highest logit, ties to the lower id.
  ///
  /// - Throws: `numeric` for a NaN or an infinity or when every logit is minus infinity;
  ///   `invalidArgument` for no logits.
  package static func greedy(_ logits: UnsafeBufferPointer<Float>) throws(EngineError) -> Int32 {
    let logits = unsafe logits.span
    return Int32(truncatingIfNeeded: try checkLogits(logits, ""))
  }

  private mutating func prepare(vocabulary: Int, hasFilter: Bool) {
    if hasFilter, changeable.count != vocabulary {
      changeable = [Float](repeating: 0, count: vocabulary)
    }
    penalties.prepare(vocabulary: vocabulary)
    guard scores.count != vocabulary else { return }
    scores = [Double](repeating: 0, count: vocabulary)
    if options.temperature > 0 { filters.prepare(vocabulary: vocabulary) }
    if options.report > 0 {
      best.reserve(Int(options.report))
      reported.reserveCapacity(Int(options.report) + 1)
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
  private mutating func makeReport(_ logits: Span<Float>, _ chosen: Int) {
    load(logits, into: &scores)
    let maximum = largest(scores)
    var total = 0.0
    for score in scores { total += Elementary.exp(score - maximum) }
    let logTotal = Elementary.log(total)
    best.takeBest(Int(options.report), scores)
    best.sort()
    reported.removeAll(keepingCapacity: true)
    func add(_ token: Int) {
      reported.append(
        Candidate(
          token: Int32(truncatingIfNeeded: token), logit: logits[token],
          logProbability: Float((scores[token] - maximum) - logTotal)))
    }
    add(chosen)
    for entry in best.entries { add(Int(entry.token)) }
  }
}

/// Sets the scores to the logits; as many as there are scores.
private func load(_ logits: Span<Float>, into scores: inout [Double]) {
  for i in logits.indices { scores[i] = Double(logits[i]) }
}

/// The index of the largest score, the first of equals.
private func indexOfLargest(_ scores: [Double]) -> Int {
  var index = 0
  for i in scores.indices where scores[i] > scores[index] { index = i }
  return index
}

private func allBanned(_ count: Int, _ place: String) -> EngineError {
  EngineError(
    .numeric,
    "every token is banned: all \(count) logits are -inf\(place); allowed at least one above")
}

/// Refuses logits that no token can be chosen from and finds the largest one, the first of equals.
@discardableResult
private func checkLogits(_ logits: Span<Float>, _ place: String) throws(EngineError) -> Int {
  guard (1...Int(Int32.max)).contains(logits.count) else {
    throw EngineError(
      .invalidArgument, "there are \(logits.count) logits; allowed 1..\(Int32.max): step first")
  }
  var index = 0
  for i in logits.indices {
    // False for a NaN as well.
    guard logits[i] < .infinity else {
      throw EngineError(
        .numeric,
        "logit of token \(i) is \(logits[i])\(place); allowed finite numbers and -inf")
    }
    if logits[i] > logits[index] { index = i }
  }
  guard logits[index] > -.infinity else { throw allBanned(logits.count, place) }
  return index
}
