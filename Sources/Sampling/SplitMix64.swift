// The random numbers of a draw. The generator is part of the contract: a seed means the same tokens
// on every machine and in every release.

/// SplitMix64: a counter in steps of the golden ratio, mixed.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; the
/// constants are those of Vigna's splitmix64.c.
package struct SplitMix64: Sendable {
  private var state: UInt64

  /// Starts the counter at `seed`.
  package init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// The next number's upper 53 bits as a fraction in [0, 1).
  package mutating func nextFraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
