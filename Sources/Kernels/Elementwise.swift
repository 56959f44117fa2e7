// Rows of activations between products: quantisation to 8 bits, RMS norm, SwiGLU.
// Rows are padded to whole vectors of sixteen; the padding is zero and stays zero.

/// The elementwise kernels of one instruction set.
public enum Elementwise<ISA: VectorISA> {
  /// Below this magnitude a block of activations is zero: 127 / x would overflow soon after.
  @inlinable @inline(__always) static var smallest: Float { 1e-30 }

  /// Quantises `blockCount` blocks of 256 values to `Activation256` blocks at `out`.
  ///
  /// Codes are rounded to nearest, ties to even. A block with a NaN or an infinity gets a NaN or
  /// infinite scale, so that it cannot pass for a number.
  @inlinable @inline(__always)
  public static func quantize256(
    _ x: UnsafePointer<Float>, _ blockCount: Int, _ out: UnsafeMutableRawPointer
  ) {
    for block in 0..<blockCount {
      let from = UnsafeRawPointer(x + block &* 256)
      let to = out + block &* Activation256.byteCount
      var largest = ISA.zero()
      for v in 0..<16 {
        largest = ISA.maximum(largest, ISA.magnitudeBits(ISA.loadFloats(from + v &* 64)))
      }
      let scale = blockScale(largest)
      let inverse = ISA.broadcast(scale.inverse)
      var total: Int32 = 0
      for v in 0..<16 {
        let codes = code(ISA.loadFloats(from + v &* 64), inverse)
        (to + v &* 16).storeBytes(of: ISA.bytes(codes), as: SIMD16<Int8>.self)
        let sum = ISA.sum(codes)
        let sums16 = to + (Activation256.sums16 &+ v &* 2)
        sums16.storeBytes(of: Int16(truncatingIfNeeded: sum), as: Int16.self)
        if v & 1 == 0 {
          total = sum
        } else {
          let sums32 = to + (Activation256.sums32 &+ v &- 1)
          sums32.storeBytes(of: Int16(truncatingIfNeeded: total &+ sum), as: Int16.self)
        }
      }
      (to + Activation256.scale).storeBytes(of: scale.scale, as: Float.self)
    }
  }

  /// Quantises `blockCount` blocks of 32 values to `Activation32` blocks at `out`.
  @inlinable @inline(__always)
  public static func quantize32(
    _ x: UnsafePointer<Float>, _ blockCount: Int, _ out: UnsafeMutableRawPointer
  ) {
    for block in 0..<blockCount {
      let from = UnsafeRawPointer(x + block &* 32)
      let to = out + block &* Activation32.byteCount
      let a = ISA.loadFloats(from)
      let b = ISA.loadFloats(from + 64)
      let scale = blockScale(ISA.maximum(ISA.magnitudeBits(a), ISA.magnitudeBits(b)))
      let inverse = ISA.broadcast(scale.inverse)
      let first = code(a, inverse)
      let second = code(b, inverse)
      to.storeBytes(of: ISA.bytes(first), as: SIMD16<Int8>.self)
      (to + 16).storeBytes(of: ISA.bytes(second), as: SIMD16<Int8>.self)
      let sum = ISA.sum(ISA.add(first, second))
      (to + Activation32.scale).storeBytes(of: scale.scale, as: Float.self)
      (to + Activation32.scaledSum).storeBytes(of: scale.scale * Float(sum), as: Float.self)
      (to + Activation32.bias).storeBytes(of: -128 &* sum, as: Int32.self)
    }
  }

  /// The scale of a block by the largest of its `VectorISA.magnitudeBits`.
  @inlinable @inline(__always)
  static func blockScale(_ bits: ISA.Integers) -> (scale: Float, inverse: Float) {
    let largest = Float(bitPattern: UInt32(bitPattern: ISA.largest(bits)))
    return largest < smallest ? (0, 0) : (largest / 127, 127 / largest)
  }

  /// Sixteen codes in -127...127, -127 for NaN.
  @inlinable @inline(__always)
  static func code(_ x: ISA.Floats, _ inverse: ISA.Floats) -> ISA.Integers {
    ISA.round(
      ISA.minimum(
        ISA.maximum(ISA.multiply(x, inverse), ISA.broadcast(-127)), ISA.broadcast(127)))
  }

  /// Scales `x` to unit root mean square, then by `weight`, into `out`.
  ///
  /// `x`, `weight` and `out` hold `vectors` x 16 values, of which `width` count. The sum of squares
  /// is sixteen chains of FMA added in the order of `VectorISA.sum`.
  /// Source: Zhang and Sennrich, Root Mean Square Layer Normalization (2019).
  @inlinable @inline(__always)
  public static func rmsNorm(
    _ x: UnsafePointer<Float>, _ weight: UnsafePointer<Float>, _ vectors: Int, _ width: Int,
    _ epsilon: Float, _ out: UnsafeMutablePointer<Float>
  ) {
    var squares = ISA.zeroFloats()
    for v in 0..<vectors {
      let values = ISA.loadFloats(x + v &* 16)
      squares = ISA.fma(squares, values, values)
    }
    let sum = ISA.sum(squares)
    // Squares that overflow would scale a finite row to zeros: it must not pass for a result.
    let scale = sum < .infinity ? 1 / (sum / Float(width) + epsilon).squareRoot() : .nan
    let factor = ISA.broadcast(scale)
    for v in 0..<vectors {
      let values = ISA.multiply(ISA.loadFloats(x + v &* 16), factor)
      ISA.storeFloats(out + v &* 16, ISA.multiply(values, ISA.loadFloats(weight + v &* 16)))
    }
  }

  /// gate / (1 + e^-gate) x up, into `gate`: SwiGLU of `vectors` x 16 values.
  ///
  /// Source: Shazeer, GLU Variants Improve Transformer (2020).
  @inlinable @inline(__always)
  public static func swiGLU(
    _ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>, _ vectors: Int
  ) {
    let one = ISA.broadcast(1)
    for v in 0..<vectors {
      let g = ISA.loadFloats(gate + v &* 16)
      let e = ISA.exponential(ISA.subtract(ISA.zeroFloats(), g))
      let silu = ISA.divide(g, ISA.add(one, e))
      ISA.storeFloats(gate + v &* 16, ISA.multiply(silu, ISA.loadFloats(up + v &* 16)))
    }
  }
}
