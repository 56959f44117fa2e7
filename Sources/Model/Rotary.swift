// Rotary position embedding: pair i of a head, values 2i and 2i + 1, turns by position x base^(-2i
// / width). Angles are computed in Double by our own arithmetic and rounded once, so they are the
// same bits on every machine. Source: Su et al., RoFormer (2021); the order of pairs is that of
// GGUF's architecture `llama`.
import Kernels

/// The angles of a model's rotary embedding.
struct Rotary: Sendable {
  /// Angle of pair i per position.
  private let frequencies: [Double]

  /// `factors` divides the frequency of each pair (the tensor `rope_freqs.weight`), when present.
  init(_ shape: Hyperparameters, factors: UnsafeBufferPointer<Float>?) {
    var frequencies: [Double] = []
    frequencies.reserveCapacity(shape.ropeWidth / 2)
    while frequencies.count < shape.ropeWidth / 2 {
      let i = frequencies.count
      let exponent = -2 * Double(i) / Double(shape.ropeWidth)
      var frequency = Elementary.power(Double(shape.ropeBase), exponent) / Double(shape.ropeFactor)
      if let factors, i < factors.count { frequency /= Double(factors[i]) }
      frequencies.append(frequency)
    }
    self.frequencies = frequencies
  }

  var pairs: Int { frequencies.count }

  /// Writes cosine and sine of each pair at `position`: [pairs][2].
  func angles(position: Int, into out: UnsafeMutablePointer<Float>) {
    frequencies.withUnsafeBufferPointer { frequencies in
      var i = 0
      while i < frequencies.count {
        let (sine, cosine) = Elementary.sineCosine(frequencies[i] * Double(position))
        out[2 &* i] = Float(cosine)
        out[2 &* i &+ 1] = Float(sine)
        i &+= 1
      }
    }
  }

  /// Rotates the first 2 x `pairs` values of a head and copies the rest.
  static func rotate(
    _ head: UnsafePointer<Float>, width: Int, angles: UnsafePointer<Float>, pairs: Int,
    into out: UnsafeMutablePointer<Float>
  ) {
    var i = 0
    while i < pairs {
      let a = head[2 &* i]
      let b = head[2 &* i &+ 1]
      let cosine = angles[2 &* i]
      let sine = angles[2 &* i &+ 1]
      out[2 &* i] = a * cosine - b * sine
      out[2 &* i &+ 1] = a * sine + b * cosine
      i &+= 1
    }
    i = 2 &* pairs
    while i < width {
      out[i] = head[i]
      i &+= 1
    }
  }
}
