import Intrinsics

/// The loops of AVX2.
public enum FloorsAVX2 {
  /// Reads `byteCount` bytes (a multiple of 512) once, with prefetch.
  @inline(never)
  public static func read(_ p: UnsafeRawPointer, byteCount: Int) -> Int32 {
    var sums = InlineArray<8, __m256i>(repeating: v256_zero())
    var i = 0
    while i < byteCount {
      for c in 0..<8 {
        let at = p + (i &+ c &* 64)
        sums[c] = v256_add(v256_add(sums[c], v256_load(at)), v256_load(at + 32))
        v_prefetch(at + 4096)
      }
      i &+= 512
    }
    var total = v256_zero()
    for c in 0..<8 { total = v256_add(total, sums[c]) }
    return v256_sum(total)
  }

  /// `turns` x 12 independent `vpmaddubsw` with their sum, of 64 operations each.
  @inline(never)
  public static func multiply(turns: Int, _ p: UnsafeRawPointer) -> Int32 {
    var chains = InlineArray<12, __m256i>(repeating: v256_zero())
    let s = v256_load(p + 64)
    for _ in 0..<turns {
      // The codes change with the sums, or the product would be computed once.
      for c in 0..<12 { chains[c] = v256_add_16(chains[c], v256_multiply_bytes(chains[c], s)) }
    }
    var total = v256_zero()
    for c in 0..<12 { total = v256_add(total, chains[c]) }
    return v256_sum(total)
  }
}
