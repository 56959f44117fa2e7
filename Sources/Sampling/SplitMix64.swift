// The random numbers of a draw. The algorithm is part of the library's promise: a seed gives the
// same tokens in every release.

/// SplitMix64: 64 bits of state, period 2^64, any seed is a good one.
///
/// Source: G. Steele, D. Lea, C. Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA
/// 2014.
package struct SplitMix64: Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// The next number of [0, 1): the upper 53 bits, all that a double holds.
  package mutating func nextFraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
