import Intrinsics

/// The loops of AVX-512 with VNNI.
public enum FloorsAVX512 {
  /// Reads `byteCount` bytes (a multiple of 512) once, with prefetch.
  @inline(never)
  public static func read(_ p: UnsafeRawPointer, byteCount: Int) -> Int32 {
    var sums = InlineArray<8, __m512i>(repeating: v512_zero())
    var i = 0
    while i < byteCount {
      for c in 0..<8 {
        let at = p + (i &+ c &* 64)
        sums[c] = v512_add(sums[c], v512_load(at))
        v_prefetch(at + 4096)
      }
      i &+= 512
    }
    var total = v512_zero()
    for c in 0..<8 { total = v512_add(total, sums[c]) }
    return v512_sum(total)
  }

  /// `turns` x 12 independent `vpdpbusd` of 128 operations each.
  @inline(never)
  public static func multiply(turns: Int, _ p: UnsafeRawPointer) -> Int32 {
    var chains = InlineArray<12, __m512i>(repeating: v512_zero())
    let u = v512_load(p)
    let s = v512_load(p + 64)
    for _ in 0..<turns {
      for c in 0..<12 { chains[c] = v512_dot4(chains[c], u, s) }
    }
    var total = v512_zero()
    for c in 0..<12 { total = v512_add(total, chains[c]) }
    return v512_sum(total)
  }
}
