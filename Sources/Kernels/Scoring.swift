// What sampling does with all tokens of a vocabulary. The rest of it, in the room Sampling, works
// on the few tokens that are left, or on sums.
//
// The sums of weights that decide which token is drawn go from token to token, in the order of the
// ids: a chain of additions, which the exponentials of the tokens ahead are computed beside.

/// How many tokens have one largest score, and one word of a bitmap, in common.
@inlinable @inline(__always) public var scoreBlock: Int { 64 }

/// The kernels of sampling of one instruction set.
public struct ScoreKernels: Sendable {
  public typealias Scan = @convention(c) (UnsafeMutableRawPointer) -> Void

  /// (ScoreScan).
  public let scan: Scan
  /// (ScoreWeights).
  public let weigh: Scan
  /// (ScoreEstimate).
  public let estimate: Scan
  /// (ScoreMass).
  public let mass: Scan
  /// (ScoreCollection).
  public let collect: Scan

  /// What does nothing, until there is a table.
  public static let none = ScoreKernels(
    scan: { _ in }, weigh: { _ in }, estimate: { _ in }, mass: { _ in }, collect: { _ in })

  public init(
    scan: @escaping Scan, weigh: @escaping Scan, estimate: @escaping Scan, mass: @escaping Scan,
    collect: @escaping Scan
  ) {
    self.scan = scan
    self.weigh = weigh
    self.estimate = estimate
    self.mass = mass
    self.collect = collect
  }
}

/// Looks for the largest logit.
public struct ScoreScan {
  public var logits: UnsafePointer<Float>
  public var count: Int
  /// Receives the largest of each block of logits, NaN left out; nil: not wanted.
  public var blockMaxima: UnsafeMutablePointer<Double>?
  /// The largest of all, -infinity when there is none.
  public var largest: Float = -.infinity
  /// The first block that has it.
  public var block = 0
  /// Whether no logit is NaN or infinity (minus infinity is allowed).
  public var isValid = false

  public init(
    logits: UnsafePointer<Float>, count: Int, blockMaxima: UnsafeMutablePointer<Double>?
  ) {
    self.logits = logits
    self.count = count
    self.blockMaxima = blockMaxima
  }
}

/// Turns scores into weights, e^((score - largest) / temperature), and adds them up.
public struct ScoreWeights {
  /// Logits, as scores; nil: `scores` are given.
  public var logits: UnsafePointer<Float>?
  /// Receives the logits as scores, or holds scores; any values up to the next multiple of 16.
  public var scores: UnsafeMutablePointer<Double>
  public var count: Int
  /// Receives the weights, and any values up to the next multiple of 16; `scores` itself is
  /// allowed.
  public var weights: UnsafeMutablePointer<Double>
  /// No score is above it.
  public var largest: Double
  public var temperature: Double
  /// The sum of the weights before, to which these are added one after another.
  public var total: Double = 0
  /// The sum of weight x (score - largest), in eight chains: for the entropy.
  ///
  /// Nothing is added where the scores are overwritten.
  public var moment: Double = 0

  public init(
    logits: UnsafePointer<Float>?, scores: UnsafeMutablePointer<Double>, count: Int,
    weights: UnsafeMutablePointer<Double>, largest: Double, temperature: Double
  ) {
    self.logits = logits
    self.scores = scores
    self.count = count
    self.weights = weights
    self.largest = largest
    self.temperature = temperature
  }
}

/// Adds up the weights of logits, e^(logit - largest), in floats: fast and not exact.
///
/// A weight is within 5e-7 of itself, and within half an ulp of its distance to the largest logit.
public struct ScoreEstimate {
  public var logits: UnsafePointer<Float>
  public var count: Int
  /// No logit is above it.
  public var largest: Float
  /// Room for 32 floats.
  public var workspace: UnsafeMutablePointer<Float>
  /// The sum of the weights.
  public var total: Double = 0
  /// The sum of weight x (logit - largest).
  public var moment: Double = 0
  /// The sums of the weights from 2^-3, 2^-6, 2^-9 and 2^-12 on, in sixteen chains of floats.
  ///
  /// Without the last logits that fill no vector.
  public var heads: (Float, Float, Float, Float) = (0, 0, 0, 0)

  public init(
    logits: UnsafePointer<Float>, count: Int, largest: Float,
    workspace: UnsafeMutablePointer<Float>
  ) {
    self.logits = logits
    self.count = count
    self.largest = largest
    self.workspace = workspace
  }
}

/// Adds up the weights of what is ranked high enough.
public struct ScoreMass {
  public var ranks: UnsafePointer<Double>
  public var weights: UnsafePointer<Double>
  public var count: Int
  public var bound: Double
  /// The sum of the weights whose rank is not below the bound, in eight chains, and how many.
  public var mass: Double = 0
  public var found: Double = 0
  /// The lowest rank that is not below the bound, infinity for none.
  public var lowest: Double = .infinity
  /// The highest rank below the bound, -infinity for none.
  public var highestBelow: Double = -.infinity

  public init(
    ranks: UnsafePointer<Double>, weights: UnsafePointer<Double>, count: Int, bound: Double
  ) {
    self.ranks = ranks
    self.weights = weights
    self.count = count
    self.bound = bound
  }
}

/// Collects the logits that are high enough, in their order.
public struct ScoreCollection {
  public var logits: UnsafePointer<Float>
  public var count: Int
  /// The token of the first logit.
  public var token: Int32
  public var bound: Float
  /// Room for `found` + `count` scores and as many tokens.
  public var scores: UnsafeMutablePointer<Double>
  public var tokens: UnsafeMutablePointer<Int32>
  /// How many there are, before and afterwards.
  public var found: Int

  public init(
    logits: UnsafePointer<Float>, count: Int, token: Int32, bound: Float,
    scores: UnsafeMutablePointer<Double>, tokens: UnsafeMutablePointer<Int32>, found: Int
  ) {
    self.logits = logits
    self.count = count
    self.token = token
    self.bound = bound
    self.scores = scores
    self.tokens = tokens
    self.found = found
  }
}

/// The kernels of sampling, generic over the instruction set.
public enum Scoring<ISA: DoubleLanes> {
  /// Finds the largest logit of each block and of all; see `ScoreScan`.
  @inlinable @inline(__always)
  public static func scan(_ raw: UnsafeMutableRawPointer) {
    let pass = raw.assumingMemoryBound(to: ScoreScan.self)
    let logits = pass.pointee.logits
    let count = pass.pointee.count
    let maxima = pass.pointee.blockMaxima
    let lowest = ISA.broadcast(-Float.infinity)
    var magnitudes = ISA.zero()
    var largest = -Float.infinity
    var first = 0
    var isValid = true
    let blocks = count / scoreBlock
    for block in 0..<blocks {
      let p = UnsafeRawPointer(logits + block &* scoreBlock)
      let a = ISA.loadFloats(p)
      let b = ISA.loadFloats(p + 64)
      let c = ISA.loadFloats(p + 128)
      let d = ISA.loadFloats(p + 192)
      // The bits of NaN's magnitude are above those of infinity.
      magnitudes = ISA.maximum(
        ISA.maximum(magnitudes, ISA.maximum(ISA.magnitudeBits(a), ISA.magnitudeBits(b))),
        ISA.maximum(ISA.magnitudeBits(c), ISA.magnitudeBits(d)))
      let ab = ISA.maximum(b, ISA.maximum(a, lowest))
      let cd = ISA.maximum(d, ISA.maximum(c, lowest))
      let top = ISA.largest(ISA.maximum(ab, cd))
      maxima?[block] = Double(top)
      if top > largest { (largest, first) = (top, block) }
    }
    if ISA.largest(magnitudes) > 0x7f80_0000 { isValid = false }
    if blocks &* scoreBlock < count {
      var top = -Float.infinity
      for i in blocks &* scoreBlock..<count {
        let x = logits[i]
        if x != x { isValid = false }
        if x > top { top = x }
      }
      maxima?[blocks] = Double(top)
      if top > largest { (largest, first) = (top, blocks) }
    }
    pass.pointee.largest = largest
    pass.pointee.block = first
    pass.pointee.isValid = isValid && largest < .infinity
  }

  /// Weighs scores; see `ScoreWeights`.
  @inlinable @inline(__always)
  public static func weigh(_ raw: UnsafeMutableRawPointer) {
    let pass = raw.assumingMemoryBound(to: ScoreWeights.self)
    let scores = pass.pointee.scores
    let weights = pass.pointee.weights
    let count = pass.pointee.count
    let largest = ISA.doubles(pass.pointee.largest)
    let temperature = ISA.doubles(pass.pointee.temperature)
    if let logits = pass.pointee.logits { widen(logits, count, scores) }
    var total = pass.pointee.total
    var i = 0
    while i < count {
      let a = ISA.divide(ISA.subtract(ISA.loadDoubles(scores + i), largest), temperature)
      let b = ISA.divide(ISA.subtract(ISA.loadDoubles(scores + (i &+ 8)), largest), temperature)
      ISA.storeDoubles(weights + i, ISA.exponential(a))
      ISA.storeDoubles(weights + (i &+ 8), ISA.exponential(b))
      if i &+ 16 <= count {
        for lane in 0..<16 { total += weights[i &+ lane] }
      } else {
        for lane in i..<count { total += weights[lane] }
      }
      i &+= 16
    }
    pass.pointee.total = total
    if scores != weights {
      pass.pointee.moment += moment(scores, weights, count, pass.pointee.largest)
    }
  }

  @inlinable @inline(__always)
  static func widen(
    _ logits: UnsafePointer<Float>, _ count: Int, _ scores: UnsafeMutablePointer<Double>
  ) {
    var i = 0
    while i &+ 8 <= count {
      ISA.storeDoubles(scores + i, ISA.loadWidened(logits + i))
      i &+= 8
    }
    while i < count {
      scores[i] = Double(logits[i])
      i &+= 1
    }
  }

  @inlinable @inline(__always)
  static func moment(
    _ scores: UnsafePointer<Double>, _ weights: UnsafePointer<Double>, _ count: Int,
    _ largest: Double
  ) -> Double {
    // Where the weight is 0 the distance may be infinite.
    let floor = ISA.doubles(-1000)
    let top = ISA.doubles(largest)
    var sums = ISA.doubles(0)
    var i = 0
    while i &+ 8 <= count {
      let distance = ISA.maximum(ISA.subtract(ISA.loadDoubles(scores + i), top), floor)
      sums = ISA.add(sums, ISA.multiply(ISA.loadDoubles(weights + i), distance))
      i &+= 8
    }
    var result = sum(sums)
    while i < count {
      let distance = scores[i] - largest
      result += weights[i] * (distance > -1000 ? distance : -1000)
      i &+= 1
    }
    return result
  }

  /// Estimates the sum of the weights; see `ScoreEstimate`.
  @inlinable @inline(__always)
  public static func estimate(_ raw: UnsafeMutableRawPointer) {
    let pass = raw.assumingMemoryBound(to: ScoreEstimate.self)
    let logits = pass.pointee.logits
    let count = pass.pointee.count
    let weights = pass.pointee.workspace
    let moments = weights + 16
    let largest = ISA.broadcast(pass.pointee.largest)
    // Where the weight is 0 the distance may be infinite.
    let floor = ISA.broadcast(Float(-100))
    var (total, moment) = (ISA.doubles(0), ISA.doubles(0))
    let none = ISA.zeroFloats()
    var heads = (none, none, none, none)
    let least = (
      ISA.broadcast(Float(0x1p-3)), ISA.broadcast(Float(0x1p-6)), ISA.broadcast(Float(0x1p-9)),
      ISA.broadcast(Float(0x1p-12))
    )
    var i = 0
    while i &+ 16 <= count {
      let x = ISA.subtract(ISA.loadFloats(logits + i), largest)
      let weight = estimatedExponential(x)
      let product = ISA.multiply(weight, ISA.maximum(x, floor))
      total = ISA.add(total, ISA.add(ISA.widenLow(weight), ISA.widenHigh(weight)))
      moment = ISA.add(moment, ISA.add(ISA.widenLow(product), ISA.widenHigh(product)))
      heads.0 = ISA.add(heads.0, ISA.zeroBelow(weight, weight, least.0))
      heads.1 = ISA.add(heads.1, ISA.zeroBelow(weight, weight, least.1))
      heads.2 = ISA.add(heads.2, ISA.zeroBelow(weight, weight, least.2))
      heads.3 = ISA.add(heads.3, ISA.zeroBelow(weight, weight, least.3))
      i &+= 16
    }
    var sums = (sum(total), sum(moment))
    if i < count {
      let x = ISA.subtract(ISA.loadFloats(logits + i, count: count &- i), largest)
      let weight = estimatedExponential(x)
      ISA.storeFloats(weights, weight)
      ISA.storeFloats(moments, ISA.multiply(weight, ISA.maximum(x, floor)))
      for lane in 0..<count &- i {
        sums.0 += Double(weights[lane])
        sums.1 += Double(moments[lane])
      }
    }
    (pass.pointee.total, pass.pointee.moment) = sums
    pass.pointee.heads = (
      ISA.sum(heads.0), ISA.sum(heads.1), ISA.sum(heads.2), ISA.sum(heads.3)
    )
  }

  /// e^x for x <= 0, relative error below 5e-7, 0 below -87.
  ///
  /// As `VectorISA.exponential`, in plain products and sums, which need no help of the C library
  /// where there is no FMA.
  @inlinable @inline(__always)
  static func estimatedExponential(_ x: ISA.Floats) -> ISA.Floats {
    let bound = ISA.broadcast(Float(-87))
    let clamped = ISA.minimum(ISA.broadcast(Float(0)), ISA.maximum(x, bound))
    let shift = ISA.broadcast(Float(12_582_912))
    // The nearest integer, which the low bits of the sum hold as well.
    let shifted = ISA.add(ISA.multiply(clamped, ISA.broadcast(Float(1.442_695))), shift)
    let n = ISA.subtract(shifted, shift)
    var r = ISA.subtract(clamped, ISA.multiply(n, ISA.broadcast(Float(0x1.62e4p-1))))
    r = ISA.subtract(r, ISA.multiply(n, ISA.broadcast(Float(0x1.7f7d1cp-20))))
    var e = ISA.broadcast(Float(1.388_888_9e-3))
    e = ISA.add(ISA.multiply(e, r), ISA.broadcast(Float(8.333_334e-3)))
    e = ISA.add(ISA.multiply(e, r), ISA.broadcast(Float(4.166_666_8e-2)))
    e = ISA.add(ISA.multiply(e, r), ISA.broadcast(Float(1.666_666_7e-1)))
    e = ISA.add(ISA.multiply(e, r), ISA.broadcast(Float(0.5)))
    e = ISA.add(ISA.multiply(e, r), ISA.broadcast(Float(1)))
    e = ISA.add(ISA.multiply(e, r), ISA.broadcast(Float(1)))
    let power = ISA.powerOfTwo(ISA.magnitudeBits(shifted))
    return ISA.zeroBelow(ISA.multiply(e, power), x, bound)
  }

  /// Adds up weights by rank; see `ScoreMass`.
  @inlinable @inline(__always)
  public static func mass(_ raw: UnsafeMutableRawPointer) {
    let pass = raw.assumingMemoryBound(to: ScoreMass.self)
    let ranks = pass.pointee.ranks
    let weights = pass.pointee.weights
    let count = pass.pointee.count
    let bound = ISA.doubles(pass.pointee.bound)
    let (zero, one) = (ISA.doubles(0), ISA.doubles(1))
    let (above, below) = (ISA.doubles(.infinity), ISA.doubles(-.infinity))
    var (mass, found) = (zero, zero)
    var (lowest, highest) = (above, below)
    var i = 0
    while i &+ 8 <= count {
      let x = ISA.loadDoubles(ranks + i)
      let weight = ISA.loadDoubles(weights + i)
      mass = ISA.add(mass, ISA.choose(weight, zero, notBelow: x, bound))
      found = ISA.add(found, ISA.choose(one, zero, notBelow: x, bound))
      lowest = ISA.minimum(ISA.choose(x, above, notBelow: x, bound), lowest)
      highest = ISA.maximum(ISA.choose(below, x, notBelow: x, bound), highest)
      i &+= 8
    }
    var result = (sum(mass), sum(found), Double.infinity, -Double.infinity)
    withUnsafeBytes(of: lowest) { lanes in
      for lane in 0..<8 {
        let x = lanes.load(fromByteOffset: lane &* 8, as: Double.self)
        if x < result.2 { result.2 = x }
      }
    }
    withUnsafeBytes(of: highest) { lanes in
      for lane in 0..<8 {
        let x = lanes.load(fromByteOffset: lane &* 8, as: Double.self)
        if x > result.3 { result.3 = x }
      }
    }
    while i < count {
      let x = ranks[i]
      if x >= pass.pointee.bound {
        result.0 += weights[i]
        result.1 += 1
        if x < result.2 { result.2 = x }
      } else if x > result.3 {
        result.3 = x
      }
      i &+= 1
    }
    (pass.pointee.mass, pass.pointee.found) = (result.0, result.1)
    (pass.pointee.lowest, pass.pointee.highestBelow) = (result.2, result.3)
  }

  /// The sum of eight lanes, one after another.
  @inlinable @inline(__always)
  static func sum(_ lanes: ISA.Doubles) -> Double {
    withUnsafeBytes(of: lanes) { bytes in
      var sum = 0.0
      for lane in 0..<8 { sum += bytes.load(fromByteOffset: lane &* 8, as: Double.self) }
      return sum
    }
  }

  /// Collects logits without a branch on them; see `ScoreCollection`.
  @inlinable @inline(__always)
  public static func collect(_ raw: UnsafeMutableRawPointer) {
    let pass = raw.assumingMemoryBound(to: ScoreCollection.self)
    let logits = pass.pointee.logits
    let bound = pass.pointee.bound
    let scores = pass.pointee.scores
    let tokens = pass.pointee.tokens
    let token = pass.pointee.token
    var found = pass.pointee.found
    // The sign of a difference, so that no processor has to guess; -0 - 0 would have one.
    let floor = bound == 0 ? -0.0 : bound
    for i in 0..<pass.pointee.count {
      let x = logits[i]
      scores[found] = Double(x)
      tokens[found] = token &+ Int32(truncatingIfNeeded: i)
      found &+= 1 &- Int(truncatingIfNeeded: (x - floor).bitPattern &>> 31)
    }
    pass.pointee.found = found
  }
}
