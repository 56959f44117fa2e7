// The best that this machine can do, measured by two small loops: reading memory once, and 8-bit
// products from registers. Shares of these two are what benchmarks report, since clocks and
// neighbours change.
import FloorsAVX2
import FloorsAVX512
import Platform

/// The two floors, by the best instructions of this processor.
public struct Floors: Sendable {
  /// Reads some bytes (a multiple of 512) once, with prefetch; a sum of them.
  public let read: @Sendable (UnsafeRawPointer, Int) -> Int32
  /// Turns of twelve independent 8-bit products on the 128 bytes at a pointer; a sum of them.
  public let multiply: @Sendable (Int, UnsafeRawPointer) -> Int32
  /// Operations a turn; a product and a sum are two.
  public let operationsPerTurn: Double

  public static let best =
    platform_has_avx512() != 0
    ? Floors(
      read: { FloorsAVX512.read($0, byteCount: $1) },
      multiply: { FloorsAVX512.multiply(turns: $0, $1) }, operationsPerTurn: 12 * 128)
    : Floors(
      read: { FloorsAVX2.read($0, byteCount: $1) },
      multiply: { FloorsAVX2.multiply(turns: $0, $1) }, operationsPerTurn: 12 * 64)
}
