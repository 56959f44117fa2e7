// XXH64, a checksum: it tells bytes that were changed by accident, not by an enemy.
//
// Source: the xxHash specification, version 0.1.1 (seed 0). Oracle: the xxhash package
// (Tests/Oracle/formats/xxh64.json).

/// A running XXH64 of bytes that come in pieces.
package struct XXH64 {
  private static let prime1: UInt64 = 0x9e37_79b1_85eb_ca87
  private static let prime2: UInt64 = 0xc2b2_ae3d_27d4_eb4f
  private static let prime3: UInt64 = 0x1656_67b1_9e37_79f9
  private static let prime4: UInt64 = 0x85eb_ca77_c2b2_ae63
  private static let prime5: UInt64 = 0x27d4_eb2f_1656_67c5

  private var sums = SIMD4<UInt64>(prime1 &+ prime2, prime2, 0, 0 &- prime1)
  private var count: UInt64 = 0
  /// Bytes that do not fill a stripe of 32 yet: as many as `count` modulo 32.
  private var rest = SIMD32<UInt8>()

  package init() {}

  /// The checksum of some bytes.
  package static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var sum = XXH64()
    unsafe sum.update(bytes)
    return sum.value
  }

  /// Adds bytes.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    var place = 0
    let held = Int(truncatingIfNeeded: count & 31)
    count &+= UInt64(bytes.count)
    if held > 0 {
      place = min(32 &- held, bytes.count)
      unsafe keep(bytes, 0, place, at: held)
      guard held &+ place == 32 else { return }
      let stripe = unsafe unsafeBitCast(rest, to: SIMD4<UInt64>.self)
      Self.add(stripe, to: &sums)
    }
    var sums = sums
    while bytes.count &- place >= 32 {
      // SAFETY: 32 bytes are left from `place` on.
      let stripe = unsafe bytes.loadUnaligned(fromByteOffset: place, as: SIMD4<UInt64>.self)
      Self.add(stripe, to: &sums)
      place &+= 32
    }
    self.sums = sums
    unsafe keep(bytes, place, bytes.count &- place, at: 0)
  }

  private mutating func keep(
    _ bytes: UnsafeRawBufferPointer, _ from: Int, _ number: Int, at place: Int
  ) {
    unsafe withUnsafeMutableBytes(of: &rest) { rest in
      for i in below(number) {
        unsafe rest[place &+ i] = bytes[from &+ i]
      }
    }
  }

  private static func add(_ stripe: SIMD4<UInt64>, to sums: inout SIMD4<UInt64>) {
    sums = rotated(sums &+ stripe &* prime2, by: 31) &* prime1
  }

  private static func rotated(_ x: SIMD4<UInt64>, by bits: UInt64) -> SIMD4<UInt64> {
    x &<< bits | x &>> (64 &- bits)
  }

  private static func rotated(_ x: UInt64, by bits: UInt64) -> UInt64 {
    x &<< bits | x &>> (64 &- bits)
  }

  private static func round(_ sum: UInt64, _ word: UInt64) -> UInt64 {
    rotated(sum &+ word &* prime2, by: 31) &* prime1
  }

  /// The checksum of what was added so far.
  package var value: UInt64 {
    var hash: UInt64
    if count >= 32 {
      hash =
        Self.rotated(sums[0], by: 1) &+ Self.rotated(sums[1], by: 7)
        &+ Self.rotated(sums[2], by: 12) &+ Self.rotated(sums[3], by: 18)
      for lane in 0..<4 {
        hash = (hash ^ Self.round(0, sums[lane])) &* Self.prime1 &+ Self.prime4
      }
    } else {
      hash = Self.prime5
    }
    return unsafe withUnsafeBytes(of: rest) { rest in
      unsafe Self.finished(hash &+ count, rest, Int(truncatingIfNeeded: count & 31))
    }
  }

  /// Mixes in the last bytes, fewer than 32.
  private static func finished(
    _ start: UInt64, _ rest: UnsafeRawBufferPointer, _ count: Int
  ) -> UInt64 {
    var hash = start
    var place = 0
    while count &- place >= 8 {
      let word = unsafe rest.loadUnaligned(fromByteOffset: place, as: UInt64.self)
      hash = rotated(hash ^ round(0, word), by: 27) &* prime1 &+ prime4
      place &+= 8
    }
    if count &- place >= 4 {
      let word = unsafe rest.loadUnaligned(fromByteOffset: place, as: UInt32.self)
      hash = rotated(hash ^ UInt64(word) &* prime1, by: 23) &* prime2 &+ prime3
      place &+= 4
    }
    while place < count {
      hash = unsafe rotated(hash ^ UInt64(rest[place]) &* prime5, by: 11) &* prime1
      place &+= 1
    }
    hash = (hash ^ hash &>> 33) &* prime2
    hash = (hash ^ hash &>> 29) &* prime3
    return hash ^ hash &>> 32
  }
}
