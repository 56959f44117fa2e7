// What all tests of the room use: golden files, logits, one call for a draw.

import Base
import Glibc
import Sampling
import Support
import Testing

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

/// Numbers as the room's own functions take them.
func growable(_ numbers: [Double]) throws(EngineError) -> Growable<Double> {
  var all = Growable<Double>()
  for number in numbers { try all.append(number) }
  return all
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
  /// One draw from arrays.
  mutating func draw(
    _ logits: [Float], history: [Int32] = [],
    filter: ((UnsafeMutableBufferPointer<Float>) -> Bool)? = nil
  ) throws(EngineError) -> Int32 {
    var result: Result<Int32, EngineError> = .success(-1)
    logits.withUnsafeBufferPointer { logits in
      history.withUnsafeBufferPointer { history in
        result = Result { () throws(EngineError) in
          try draw(logits: logits, history: history, filter: filter)
        }
      }
    }
    return try result.get()
  }

  /// The greedy choice from an array.
  static func greedy(_ logits: [Float]) throws(EngineError) -> Int32 {
    var result: Result<Int32, EngineError> = .success(-1)
    logits.withUnsafeBufferPointer { logits in
      result = Result { () throws(EngineError) in try greedy(logits) }
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
