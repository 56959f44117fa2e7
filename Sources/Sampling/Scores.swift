// The scores of a vocabulary. They are its logits, widened to doubles where they are needed, and
// for the few tokens that a bias or a penalty changed a number of their own: no second array of a
// number a token is written in a draw. The largest score of each block of 64 says which blocks
// need not be looked at.

import Base
import Kernels

/// Sums over all scores.
package struct Sums: Sendable {
  /// The sum of the weights e^(score - largest).
  package var total: Double
  /// The sum of weight x (score - largest).
  var moment: Double
  /// The sums of the weights from 2^-3, 2^-6, 2^-9 and 2^-12 on, at least.
  private var heads = (0.0, 0.0, 0.0, 0.0)

  init(total: Double, moment: Double) {
    self.total = total
    self.moment = moment
  }

  init(_ pass: ScoreEstimate, count: Int) {
    self.init(total: pass.total, moment: pass.moment)
    // Each was added up in chains of a sixteenth of the weights, in floats.
    let share = 1 - Double(count) * 0x1p-28 - 0x1p-10
    let found = pass.heads
    heads = (
      Double(found.0) * share, Double(found.1) * share, Double(found.2) * share,
      Double(found.3) * share
    )
  }

  /// How far from the largest score scores may be whose weights exceed `target` for certain; minus
  /// infinity where nothing is known.
  func reach(exceeding target: Double) -> Double {
    // ln 8, and more than the weights are off.
    let step = -2.079_441_541_679_836
    let slack = -1e-5
    if heads.0 > target { return step + slack }
    if heads.1 > target { return 2 * step + slack }
    if heads.2 > target { return 3 * step + slack }
    return heads.3 > target ? 4 * step + slack : -.infinity
  }
}

/// The scores of one draw; minus infinity means that the token is out.
@safe package struct Scores: @unchecked Sendable {
  /// Tokens whose weights are worked out together, a few blocks.
  private static var chunk: Int { 512 }

  package private(set) var kernels = ScoreKernels.none
  /// Valid from `load` to the end of the draw.
  private var logits = unsafe UnsafeBufferPointer<Float>(start: nil, count: 0)
  /// A bit for each token whose score is in `values`.
  private var changed = Growable<UInt64>()
  private var values = Growable<Double>()
  private var hasChanges = false
  /// The largest score of each block.
  private var maxima = Growable<Double>()
  /// The scores of a chunk, then their weights.
  private var workspace = Growable<Double>()
  /// The sum of the weights up to the end of each chunk.
  private var sums = Growable<Double>()
  /// The largest score.
  package private(set) var largest = -Double.infinity
  /// The first token that has the largest score.
  package private(set) var mostLikely = 0

  package init() {}

  /// How many tokens there are.
  package var count: Int { unsafe logits.count }

  /// How many blocks there are.
  var blocks: Int { maxima.count }

  /// Takes logits, whose memory must stay until the next call of this.
  ///
  /// `mayChange` says whether `put` will be called, `place` what an error says of where the logits
  /// come from.
  package mutating func load(
    _ logits: UnsafeBufferPointer<Float>, _ kernels: ScoreKernels, mayChange: Bool, _ place: String
  ) throws(EngineError) {
    self.kernels = kernels
    let blocks = (logits.count &+ scoreBlock &- 1) / scoreBlock
    if maxima.count != blocks || workspace.count == 0 {
      maxima = try Growable(filled: 0, count: blocks)
      changed = try Growable(filled: 0, count: blocks)
      workspace = try Growable(filled: 0, count: 2 &* Self.chunk)
      sums = try Growable(filled: 0, count: (logits.count &+ Self.chunk &- 1) / Self.chunk)
      hasChanges = false
    }
    if mayChange, values.count != logits.count {
      values = try Growable(filled: 0, count: logits.count)
    }
    if hasChanges { try changed.replaceEach { _, _ in 0 } }
    hasChanges = false
    unsafe self.logits = logits
    let maxima = unsafe try maxima.all().baseAddress
    let found = unsafe try scan(logits, kernels, maxima, place)
    (mostLikely, largest) = (found.token, Double(found.logit))
  }

  /// The score of a token.
  @inline(__always) package func at(_ token: Int) throws(EngineError) -> Double {
    if hasChanges, token >= 0,
      try changed.at(token / scoreBlock) &>> UInt64(truncatingIfNeeded: token) & 1 != 0
    {
      return try values.at(token)
    }
    return Double(try unsafe logits.at(token))
  }

  /// Changes the score of a token; `settle` has to follow.
  package mutating func put(_ score: Double, at token: Int) throws(EngineError) {
    try values.put(score, at: token)
    let word = token / scoreBlock
    try changed.put(
      try changed.at(word) | 1 &<< UInt64(truncatingIfNeeded: token), at: word)
    hasChanges = true
  }

  /// Finds the largest scores anew after changes.
  package mutating func settle() throws(EngineError) {
    guard hasChanges else { return }
    largest = -.infinity
    var first = 0
    var block = 0
    while block < blocks {
      if try changed.at(block) != 0 {
        var top = -Double.infinity
        var token = block &* scoreBlock
        while token < end(of: block) {
          top = max(top, try at(token))
          token &+= 1
        }
        try maxima.put(top, at: block)
      }
      let top = try maxima.at(block)
      if top > largest { (largest, first) = (top, block) }
      block &+= 1
    }
    mostLikely = first &* scoreBlock
    while mostLikely < end(of: first) &- 1, try at(mostLikely) != largest { mostLikely &+= 1 }
  }

  /// The largest score of a block.
  @inline(__always) func maximum(of block: Int) throws(EngineError) -> Double {
    try maxima.at(block)
  }

  /// The token after the last one of a block.
  @inline(__always) func end(of block: Int) -> Int {
    min(count, (block &+ 1) &* scoreBlock)
  }

  /// Collects the tokens whose scores are at least `bound`, in the order of their ids.
  ///
  /// Never those that are out; some below the bound by a rounding may be among them.
  package func collect(
    from bound: Double, into candidates: inout Candidates
  ) throws(EngineError) {
    var floor = Float(bound)
    if Double(floor) > bound { floor = floor.nextDown }
    // False for minus infinity.
    if !(floor > -.greatestFiniteMagnitude) { floor = -.greatestFiniteMagnitude }
    candidates.removeAll()
    guard let base = unsafe logits.baseAddress else { return }
    var block = 0
    while block < blocks {
      let top = try maxima.at(block)
      if top >= bound, top > -.infinity {
        if hasChanges, try changed.at(block) != 0 {
          var token = block &* scoreBlock
          while token < end(of: block) {
            let score = try at(token)
            if score >= bound, score > -.infinity { try candidates.append(score, token) }
            token &+= 1
          }
        } else {
          let first = block &* scoreBlock
          // SAFETY: the block's logits; `end` is at most their number.
          try unsafe candidates.append(
            base + first, end(of: block) &- first, first, floor, kernels)
        }
      }
      block &+= 1
    }
  }

  /// The sum of the weights e^((score - largest) / temperature), one token after another, and that
  /// of e^(score - largest) x (score - largest), in any order.
  package mutating func weigh(temperature: Double) throws(EngineError) -> Sums {
    var total = 0.0
    var moment = 0.0
    var index = 0
    while index < sums.count {
      let pass = try weigh(chunk: index, temperature, total)
      total = pass.total
      moment += pass.moment
      try sums.put(total, at: index)
      index &+= 1
    }
    return Sums(total: total, moment: moment)
  }

  /// The same sums at temperature 1 in a tenth of the time, each within `estimateError`; nil where
  /// scores were changed.
  mutating func estimate() throws(EngineError) -> Sums? {
    guard !hasChanges, let source = unsafe logits.baseAddress,
      let room = unsafe try workspace.all().baseAddress, workspace.count >= 32
    else { return nil }
    return unsafe room.withMemoryRebound(to: Float.self, capacity: 32) { room in
      var pass = unsafe ScoreEstimate(
        logits: source, count: count, largest: Float(largest), workspace: room)
      unsafe kernels.estimate(&pass)
      return Sums(pass, count: count)
    }
  }

  /// How far an estimated sum may be off, as a share of the sum.
  ///
  /// A weight is within 5e-7, and its distance x to the largest logit within 2^-24 |x| of what it
  /// should be; the mean of |x| is at most the logarithm of the number of tokens, as the mean of
  /// their information is. Here all of it is more than doubled.
  var estimateError: Double { (8 + Elementary.log(Double(count))) * 0x1p-23 }

  /// How far an estimated mean of distances may be off.
  ///
  /// By the errors of both sums, and by 2^-24 x^2 for a token's distance x: the mean of x^2 is at
  /// most that of the squared information, which is largest where all tokens are equally likely.
  /// Here all of it is more again than that.
  func meanError(_ mean: Double) -> Double {
    let information = Elementary.log(Double(count))
    return 2 * estimateError * mean.magnitude + 1.25 * 0x1p-24 * max(1, information * information)
  }

  /// The weights of a chunk, behind its scores in the workspace; their sum goes on from `total`.
  private mutating func weigh(
    chunk: Int, _ temperature: Double, _ total: Double
  ) throws(EngineError) -> ScoreWeights {
    let start = chunk &* Self.chunk
    let length = min(Self.chunk, count &- start)
    guard let base = unsafe try workspace.all().baseAddress,
      let source = unsafe logits.baseAddress, workspace.count == 2 &* Self.chunk, start >= 0
    else { throw EngineError(.internal, "the workspace of a sampler is a fault of the library") }
    let isChanged = hasChanges ? try fill(start, length) : false
    // SAFETY: the workspace holds two chunks, and a chunk is a multiple of 16.
    var pass = unsafe ScoreWeights(
      logits: isChanged ? nil : UnsafePointer(source + start), scores: base, count: length,
      weights: base + Self.chunk, largest: largest, temperature: temperature)
    pass.total = total
    unsafe kernels.weigh(&pass)
    return pass
  }

  /// Writes the scores of a chunk into the workspace if one of them was changed; whether it was.
  private mutating func fill(_ start: Int, _ length: Int) throws(EngineError) -> Bool {
    var word = start / scoreBlock
    let end = word &+ Self.chunk / scoreBlock
    var bits: UInt64 = 0
    while word < min(end, blocks) {
      bits |= try changed.at(word)
      word &+= 1
    }
    guard bits != 0 else { return false }
    var place = 0
    while place < length {
      try workspace.put(try at(start &+ place), at: place)
      place &+= 1
    }
    return true
  }

  /// The token whose share of the weights that `weigh` added up last holds `fraction` of them.
  package mutating func choose(
    total: Double, fraction: Double, temperature: Double
  ) throws(EngineError) -> Int {
    let target = fraction * total
    var chunk = 0
    while chunk < sums.count, try sums.at(chunk) <= target { chunk &+= 1 }
    if chunk < sums.count {
      var sum = chunk > 0 ? try sums.at(chunk &- 1) : 0
      _ = try weigh(chunk: chunk, temperature, sum)
      var place = 0
      while place < Self.chunk {
        sum += try workspace.at(Self.chunk &+ place)
        if sum > target { return chunk &* Self.chunk &+ place }
        place &+= 1
      }
    }
    // The product was rounded up to the total: the last token that has a weight.
    var token = count
    while token > 0 {
      token &-= 1
      if Elementary.exp((try at(token) - largest) / temperature) > 0 { return token }
    }
    return mostLikely
  }

  /// The entropy of the probabilities e^(score - largest) / total, one token after another.
  mutating func entropy(total: Double) throws(EngineError) -> Double {
    let logTotal = Elementary.log(total)
    var entropy = 0.0
    var chunk = 0
    while chunk < sums.count {
      _ = try weigh(chunk: chunk, 1, 0)
      var place = 0
      while place < min(Self.chunk, count &- chunk &* Self.chunk) {
        let score = try workspace.at(place)
        if score > -.infinity {
          entropy +=
            try workspace.at(Self.chunk &+ place) / total * (logTotal - (score - largest))
        }
        place &+= 1
      }
      chunk &+= 1
    }
    return entropy
  }
}

/// Refuses logits that no token can be chosen from and finds the largest one, the first of equals.
///
/// `maxima` receives the largest of each block; nil: not wanted.
func scan(
  _ logits: UnsafeBufferPointer<Float>, _ kernels: ScoreKernels,
  _ maxima: UnsafeMutablePointer<Double>?, _ place: String
) throws(EngineError) -> (token: Int, logit: Float) {
  guard (1...Int(Int32.max)).contains(logits.count), let base = logits.baseAddress else {
    throw EngineError(
      .invalidArgument, "there are \(logits.count) logits; allowed 1..\(Int32.max): step first")
  }
  var pass = unsafe ScoreScan(logits: base, count: logits.count, blockMaxima: maxima)
  unsafe kernels.scan(&pass)
  guard pass.isValid else { throw try unsafe wrongLogit(logits, place) }
  let largest = pass.largest
  guard largest > -.infinity else { throw allBanned(logits.count, place) }
  var token = pass.block &* scoreBlock
  while token < logits.count &- 1, try unsafe logits.at(token) != largest { token &+= 1 }
  return (token, largest)
}

/// The error that names the first logit that is NaN or infinity.
private func wrongLogit(
  _ logits: UnsafeBufferPointer<Float>, _ place: String
) throws(EngineError) -> EngineError {
  var token = 0
  // False for a NaN as well.
  while token < logits.count &- 1, try unsafe logits.at(token) < .infinity { token &+= 1 }
  return EngineError(
    .numeric,
    "logit of token \(token) is \(try unsafe logits.at(token))\(place); allowed finite numbers "
      + "and -inf")
}

/// The error for scores that leave no token.
func allBanned(_ count: Int, _ place: String) -> EngineError {
  EngineError(
    .numeric,
    "every token is banned: all \(count) logits are -inf\(place); allowed at least one above")
}
