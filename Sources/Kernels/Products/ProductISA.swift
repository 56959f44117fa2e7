// The vocabulary of the products (Products/). Sixteen rows of a panel are one register of an
// instruction set or two: a kernel computes them in `parts`, one register's lanes at a time, so
// that the sums of several rows of activations fit into the registers.

/// The operations of products on the lanes of one register.
///
/// A *partial* holds the sum of some products of codes and activations before their sub-block's
/// scale. It may be narrower than 32 bits; `capacity` says what it holds without loss.
public protocol ProductISA: Lanes, TileSizes {
  associatedtype Partial
  /// The scale of a sub-block as `addScaled` wants it.
  associatedtype Scale
  /// The sixteen outputs of one row of activations.
  associatedtype Outputs

  /// 16, or 8: then lanes 8...15 are a second part.
  static var lanes: Int { get }
  /// Rows of float activations that share their memory: 6, 16, or 1 for none.
  static var bundledRows: Int { get }
  /// Rows from which on codes are spread before they are multiplied (SpreadProducts.swift).
  static var spreadRows: Int { get }

  static func load(_ p: UnsafeRawPointer) -> Integers
  static func store(_ p: UnsafeMutableRawPointer, _ a: Integers)
  /// The Int32 at `p` in every lane.
  static func broadcast(from p: UnsafeRawPointer) -> Integers
  /// Every byte and `mask`.
  static func lowBits(_ a: Integers, _ mask: UInt8) -> Integers
  /// Byte `i` (0...3) of each lane, unsigned.
  static func byte(_ a: Integers, _ i: Int) -> Integers
  /// The byte that `table` has for each code of four bits: codes 0...7 are bytes of `table.low`,
  /// the first the lowest, and 8...15 of `table.high`.
  static func lookup16(_ table: (low: UInt64, high: UInt64), _ codes: Integers) -> Integers
  static func or(_ a: Integers, _ b: Integers) -> Integers
  /// Shifts 16-bit lanes: bits move between the two bytes of a pair, so a mask follows.
  static func shiftRight16(_ a: Integers, _ count: Int32) -> Integers
  static func shiftLeft16(_ a: Integers, _ count: Int32) -> Integers
  /// Shifts 32-bit lanes, right with the sign.
  static func shiftRight(_ a: Integers, _ count: Int32) -> Integers
  static func shiftLeft(_ a: Integers, _ count: Int32) -> Integers
  static func subtract(_ a: Integers, _ b: Integers) -> Integers
  /// Two bytes a lane as pairs of Int16.
  static func pairs(unsigned p: UnsafeRawPointer) -> Integers
  static func pairs(signed p: UnsafeRawPointer) -> Integers
  /// Adds to each lane its two Int16 times the two Int16 at `activations`.
  static func pairDot(
    _ sum: Integers, _ pairs: Integers, _ activations: UnsafeRawPointer
  ) -> Integers

  static func noPartial() -> Partial
  /// How many `dot4` of codes below 2^bits one partial holds, at least 1 for up to 7 bits.
  static func capacity(bits: Int) -> Int
  /// Adds to each lane its four codes times four Int8 of the 32 at `activations`, from 4 `place`
  /// on; none of them is -128.
  static func dot4(
    _ partial: Partial, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Partial
  /// The first, or the second, of each pair of Int16.
  static func firstScale(_ pairs: Integers) -> Scale
  static func secondScale(_ pairs: Integers) -> Scale
  static func addScaled(_ sum: Integers, _ partial: Partial, _ scale: Scale) -> Integers
  static func addPartial(_ sum: Integers, _ partial: Partial) -> Integers

  /// `dot4` of codes of eight bits that stand for code - 128.
  ///
  /// Where `keeps128` the 128 stay in, and who adds up takes 128 times the sum of the activations
  /// off. A partial holds `capacity128` of these.
  static func dot4Minus128(
    _ partial: Partial, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Partial
  static var keeps128: Bool { get }
  static var capacity128: Int { get }

  /// bfloat16 values.
  static func loadBrains(_ p: UnsafeRawPointer) -> Floats
  static func noOutputs() -> Outputs
  static func output(_ outputs: Outputs, _ part: Int) -> Floats
  static func setOutput(_ outputs: inout Outputs, _ part: Int, _ value: Floats)
}

extension ProductISA {
  /// Registers that sixteen rows take.
  @inlinable @inline(__always) public static var parts: Int { 16 / lanes }

  /// How products of plain values want their activations.
  public static var floatRows: FloatRows { FloatRows(rowBundle: bundledRows) }
}
