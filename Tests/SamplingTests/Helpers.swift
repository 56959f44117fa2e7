// Helpers of all tests of the room: golden files, logits, one call for a draw.

import Base
import Glibc
import Kernels
import KernelsReference
import Support
import Testing

import Sampling

/// The lines of a golden file under Tests/Oracle/sampling, split at spaces.
func goldenLines(_ name: String) throws -> [[Substring]] {
  let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
  let path = parts.joined(separator: "/") + "/Oracle/sampling/" + name
  let file = try #require(fopen(path, "r"), "no file \(path)")
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65_536)
  while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
    bytes += buffer.prefix(count)
  }
  let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
  return lines.map { $0.split(separator: " ") }
}

/// Scores of logits, whose memory is kept.
func scores(
  _ logits: [Float], _ table: KernelTable = .reference, _ change: (inout Scores) throws -> Void
) throws {
  var scores = Scores()
  try logits.withUnsafeBufferPointer { logits in
    try scores.load(logits, table.scores, mayChange: true, "")
    try change(&scores)
  }
}

/// The tokens that filters leave, in order, and their weights at the options' temperature.
func survivors(
  _ options: SamplerOptions, _ logits: [Float], _ table: KernelTable = .reference
) throws -> [(token: Int, weight: Double)] {
  var filters = Filters(options)
  var result: [(token: Int, weight: Double)] = []
  let temperature = options.temperature > 0 ? Double(options.temperature) : 1
  try scores(logits, table) { scores in
    try filters.prepare(vocabulary: logits.count)
    guard try filters.apply(to: &scores) else {
      for token in logits.indices where logits[token] > -.infinity {
        let distance = try scores.at(token) - scores.largest
        result.append((token, Elementary.exp(distance / temperature)))
      }
      return
    }
    var candidates = filters.candidates
    let largest = try candidates.largest()
    _ = try candidates.weigh(largest, temperature: temperature, table.scores)
    for place in 0..<candidates.count {
      let one = try candidates.at(place)
      result.append((Int(one.token), one.weight))
    }
  }
  return result
}

/// A float from the hexadecimal digits of its bits.
func float(_ hexadecimal: Substring) throws -> Float {
  Float(bitPattern: try #require(UInt32(hexadecimal, radix: 16)))
}

/// The logits that make_goldens.py makes.
func goldenLogits(_ count: Int, seed: UInt64) -> [Float] {
  var generator = SeededGenerator(seed: seed)
  return (0..<count).map { _ in
    let n = generator.next()
    var value = Double((n & 0x3fffff) + (n >> 22 & 0x3fffff)) / 1_048_576 - 4
    let extra = n >> 44 & 0xff
    if extra < 12 { value += Double(extra) / 2 }
    return Float(value)
  }
}

extension SamplerOptions {
  /// All zero but for what `change` sets.
  init(_ change: (inout SamplerOptions) -> Void) {
    self.init()
    change(&self)
  }
}

extension Sampler {
  /// A draw from arrays.
  mutating func draw(
    _ logits: [Float], history: [Int32] = [], table: KernelTable = .reference,
    filter: ((UnsafeMutableBufferPointer<Float>) -> Bool)? = nil
  ) throws(EngineError) -> Int32 {
    var result: Result<Int32, EngineError> = .success(-1)
    logits.withUnsafeBufferPointer { logits in
      history.withUnsafeBufferPointer { history in
        result = Result { () throws(EngineError) in
          try draw(
            logits: logits, history: history, kernels: table.scores, filter: filter)
        }
      }
    }
    return try result.get()
  }

  /// The greedy choice from an array.
  static func greedy(
    _ logits: [Float], _ table: KernelTable = .reference
  ) throws(EngineError) -> Int32 {
    var result: Result<Int32, EngineError> = .success(-1)
    logits.withUnsafeBufferPointer { logits in
      result = Result { () throws(EngineError) in try greedy(logits, kernels: table.scores) }
    }
    return try result.get()
  }
}

/// The error that `body` throws.
func failure(_ body: () throws(EngineError) -> Void) -> EngineError? {
  do { try body() } catch { return error }
  return nil
}

/// Chi-square over its degrees of freedom; tokens that must not be drawn have expectation 0.
func chiSquare(_ counts: [Int], _ probabilities: [Double]) -> (value: Double, freedom: Int) {
  let total = Double(counts.reduce(0, +))
  var value = 0.0
  var freedom = -1
  for (count, probability) in zip(counts, probabilities) {
    if probability == 0 {
      if count > 0 { value = .infinity }
      continue
    }
    let expected = probability * total
    value += (Double(count) - expected) * (Double(count) - expected) / expected
    freedom += 1
  }
  return (value, freedom)
}

/// A bound that chi-square exceeds in fewer than one of a hundred thousand fair samples.
///
/// The approximation of E. B. Wilson and M. M. Hilferty (1931) with 4.3 standard deviations.
func chiSquareBound(freedom: Int) -> Double {
  let n = Double(freedom)
  let a = 2 / (9 * n)
  return n * pow(1 - a + 4.3 * a.squareRoot(), 3)
}
