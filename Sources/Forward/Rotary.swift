// Rotary position embedding: pair i of a head, values 2i and 2i + 1, turns by position x base^(-2i
// / width). Angles are computed in Double by our own arithmetic and rounded once, so they are the
// same bits on every machine. Source: Su et al., RoFormer (2021); the order of pairs is that of
// GGUF's architecture `llama`.
import Kernels

/// The angles of a model's rotary embedding.
struct Rotary: @unchecked Sendable {
  /// [pairs]: the angle of a pair per position.
  private let frequencies: UnsafeMutablePointer<Double>
  private let pairs: Int
  private let magnitude: Double

  /// `factors` divides the frequency of each pair (the tensor `rope_freqs.weight`), when present.
  init(_ shape: Hyperparameters, factors: UnsafeBufferPointer<Float>?) {
    pairs = shape.ropeWidth / 2
    magnitude = Double(shape.ropeMagnitude)
    frequencies = .allocate(capacity: pairs)
    for pair in 0..<pairs {
      let exponent = -2 * Double(pair) / Double(shape.ropeWidth)
      var frequency = Elementary.power(Double(shape.ropeBase), exponent) / Double(shape.ropeFactor)
      if let factors, pair < factors.count { frequency /= Double(factors[pair]) }
      frequencies[pair] = frequency
    }
  }

  func deallocate() { frequencies.deallocate() }

  /// Writes cosine and sine of each pair at `position`, times the magnitude: [pairs][2].
  func angles(position: Int, into out: UnsafeMutablePointer<Float>) {
    for pair in 0..<pairs {
      let (sine, cosine) = Elementary.sineCosine(frequencies[pair] * Double(position))
      out[2 * pair] = Float(cosine * magnitude)
      out[2 * pair + 1] = Float(sine * magnitude)
    }
  }

  /// Rotates the first 2 x `pairs` values of a head and copies the rest.
  func rotate(
    _ head: UnsafePointer<Float>, width: Int, _ angles: UnsafePointer<Float>,
    into out: UnsafeMutablePointer<Float>
  ) {
    for pair in 0..<pairs {
      let (a, b) = (head[2 * pair], head[2 * pair + 1])
      let (cosine, sine) = (angles[2 * pair], angles[2 * pair + 1])
      out[2 * pair] = a * cosine - b * sine
      out[2 * pair + 1] = a * sine + b * cosine
    }
    for i in 2 * pairs..<max(2 * pairs, width) { out[i] = head[i] }
  }
}
