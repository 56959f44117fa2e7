// Logits to a token, in the order of include/mixtral.h: filter callback, bias, penalties, then
// top-k, typical, top-p, min-p, temperature, draw. A draw that fails changes nothing that a later
// one sees.

import Formats

/// Chooses tokens; owns the random numbers, the workspaces and the last draw's report.
///
/// Workspaces (up to 32 bytes a token of the vocabulary) are made at the first draw that needs
/// them; later draws over vocabularies no larger allocate nothing.
package struct Sampler: ~Copyable {
  private let options: SamplerOptions
  private var random: SplitMix64
  private var filtered = Memory<Float>()
  private var scores = Memory<Double>()
  private var counts = Memory<UInt32>()
  private var ranking = Ranking()
  private var candidates = Memory<Candidate>()
  private var candidateCount = 0

  /// Makes a sampler that starts at the seed.
  ///
  /// - Throws: what `SamplerOptions.check()` throws.
  package init(_ options: SamplerOptions) throws(EngineError) {
    try options.check()
    self.options = options
    random = SplitMix64(seed: options.seed)
  }

  /// The drawn token, then the `report` most likely ones, best first, ties to the lower id.
  ///
  /// Empty before the first draw and when `report` is 0; logits and probabilities are the model's.
  package var report: [Candidate] {
    unsafe Array(candidates.prefix(candidateCount))
  }

  /// Lends the report to `body` without a copy.
  package func withReport<Result>(_ body: (UnsafeBufferPointer<Candidate>) -> Result) -> Result {
    unsafe body(UnsafeBufferPointer(candidates.prefix(candidateCount)))
  }

  /// Chooses the next token.
  ///
  /// - Parameters:
  ///   - logits: One a token of the vocabulary; not changed.
  ///   - history: The session's tokens, oldest first; read only for penalties.
  ///   - filter: Gets a copy of the logits to change; true ends the draw.
  /// - Returns: The token, in 0..<vocabulary.
  /// - Throws: `.invalidArgument` (no logits, a bias or the report beyond the vocabulary),
  ///   `.cancelled` by the filter, `.numeric` (NaN, infinity, every token banned), `.outOfMemory`,
  ///   `.limitExceeded`. The sampler is then as it was.
  package mutating func draw(
    logits: UnsafeBufferPointer<Float>, history: UnsafeBufferPointer<Int32>,
    filter: ((UnsafeMutableBufferPointer<Float>) -> Bool)?
  ) throws(EngineError) -> Int32 {
    let original = unsafe logits.span
    try unsafe prepare(logits, history: history, filter: filter)
    let token: Int32
    if options.temperature > 0 {
      // Nothing fails from here on, so the random number is taken for good.
      token = ranking.draw(fraction: random.nextFraction(), temperature: options.temperature)
    } else {
      token = ranking.best
    }
    writeReport(token, original)
    return token
  }

  /// What the next draw would choose from, best first, ties to the lower id.
  ///
  /// Probabilities are those of the draw, after temperature, and sum to 1; a greedy sampler has one
  /// candidate. Takes no random number and changes no report, but allocates the result.
  /// - Throws: As `draw`.
  package mutating func distribution(
    logits: UnsafeBufferPointer<Float>, history: UnsafeBufferPointer<Int32>
  ) throws(EngineError) -> [(token: Int32, probability: Double)] {
    try unsafe prepare(logits, history: history, filter: nil)
    guard options.temperature > 0 else { return [(ranking.best, 1)] }
    return ranking.probabilities(temperature: options.temperature)
  }

  /// The token of the highest logit, ties to the lower id.
  ///
  /// - Throws: `.numeric` for NaN, infinity or nothing above -infinity; `.invalidArgument` for no
  ///   logits.
  package static func greedy(_ logits: UnsafeBufferPointer<Float>) throws(EngineError) -> Int32 {
    try checkVocabulary(logits.count)
    let (token, logit) = try largest(unsafe logits.span)
    guard logit > -.infinity else { throw allBanned }
    return token
  }
}

extension Sampler {
  private static var allBanned: EngineError {
    EngineError(.numeric, "every token is banned: all logits are -infinity; allowed at least one")
  }

  private static func checkVocabulary(_ vocabulary: Int) throws(EngineError) {
    guard vocabulary > 0 else {
      throw EngineError(.invalidArgument, "there are 0 logits; step the session first")
    }
    guard vocabulary <= Int(Int32.max) else {
      throw EngineError(
        .limitExceeded, "there are \(vocabulary) logits; allowed 1 to \(Int32.max)")
    }
  }

  private func check(_ vocabulary: Int) throws(EngineError) {
    try Self.checkVocabulary(vocabulary)
    guard Int(options.report) <= vocabulary else {
      throw EngineError(
        .invalidArgument,
        "report is \(options.report); allowed 0 to \(vocabulary), the vocabulary")
    }
    for (index, entry) in options.bias.enumerated() where Int(entry.token) >= vocabulary {
      throw EngineError(
        .invalidArgument,
        "bias[\(index)].token is \(entry.token); allowed 0 to \(vocabulary - 1)")
    }
  }

  /// The first of the highest logits; refuses what cannot be ordered or has no probability.
  private static func largest(
    _ logits: Span<Float>
  ) throws(EngineError) -> (token: Int32, logit: Float) {
    var largest = -Float.infinity
    var token = 0
    for i in logits.indices {
      let logit = logits[i]
      // False for NaN as well.
      guard logit < .infinity else {
        throw EngineError(
          .numeric, "the logit of token \(i) is \(logit); allowed finite numbers and -infinity")
      }
      if logit > largest {
        largest = logit
        token = i
      }
    }
    return (Int32(truncatingIfNeeded: token), largest)
  }

  /// Everything before the random number: leaves the candidates of the draw in `ranking`.
  private mutating func prepare(
    _ logits: UnsafeBufferPointer<Float>, history: UnsafeBufferPointer<Int32>,
    filter: ((UnsafeMutableBufferPointer<Float>) -> Bool)?
  ) throws(EngineError) {
    let vocabulary = logits.count
    try check(vocabulary)
    let original = unsafe logits.span
    _ = try Self.largest(original)
    try unsafe reserve(vocabulary, filters: filter != nil)
    if let filter = unsafe filter {
      let copy = unsafe filtered.prefix(vocabulary)
      _ = unsafe copy.update(fromContentsOf: logits)
      let isCancelled = unsafe filter(copy)
      guard !isCancelled else {
        throw EngineError(.cancelled, "the filter callback ended the draw")
      }
      _ = try Self.largest(unsafe copy.span)
      adjust(unsafe copy.span, history: unsafe history.span)
    } else {
      adjust(original, history: unsafe history.span)
    }
    try truncate(vocabulary)
  }

  private mutating func reserve(_ vocabulary: Int, filters: Bool) throws(EngineError) {
    try scores.reserve(vocabulary)
    if filters { try filtered.reserve(vocabulary) }
    if options.hasPenalties && counts.count < vocabulary {
      try counts.reserve(vocabulary)
      unsafe counts.prefix(vocabulary).update(repeating: 0)
    }
    try ranking.memory.reserve(vocabulary)
    if options.report > 0 { try candidates.reserve(Int(options.report) + 1) }
  }

  /// Fills `scores` with `logits` after bias and penalties.
  private mutating func adjust(_ logits: Span<Float>, history: Span<Int32>) {
    var adjusted = unsafe scores.prefix(logits.count).mutableSpan
    for i in logits.indices { adjusted[i] = Double(logits[i]) }
    options.applyBias(to: &adjusted)
    guard options.hasPenalties else { return }
    var seen = unsafe counts.prefix(logits.count).mutableSpan
    options.applyPenalties(to: &adjusted, history: history, counts: &seen)
  }

  /// Makes candidates of `scores` and keeps those that the options allow.
  private mutating func truncate(_ vocabulary: Int) throws(EngineError) {
    let adjusted = unsafe scores.prefix(vocabulary).span
    ranking.load(count: vocabulary) { adjusted[$0] }
    ranking.filter { $0.key > -.infinity }
    guard ranking.count > 0 else { throw Self.allBanned }
    guard options.temperature > 0 else { return }
    ranking.keepTopK(options.topK)
    ranking.keepTypical(options.typicalP, scores: adjusted)
    ranking.keepTopP(options.topP)
    ranking.keepMinP(options.minP)
  }

  private mutating func writeReport(_ token: Int32, _ logits: Span<Float>) {
    guard options.report > 0 else { return }
    let normalizer = LogNormalizer(logits)
    ranking.load(count: logits.count) { Double(logits[$0]) }
    var left = Int(options.report)
    ranking.keepBest { _ in
      left &-= 1
      return left == 0
    }
    var written = unsafe candidates.prefix(Int(options.report) + 1).mutableSpan
    written[0] = normalizer.candidate(token, logit: logits[Int(token)])
    var next = 1
    ranking.forEach { entry in
      written[next] = normalizer.candidate(entry.token, logit: logits[Int(entry.token)])
      next &+= 1
    }
    candidateCount = next
  }
}
