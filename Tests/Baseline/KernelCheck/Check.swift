// Every kernel of every table that the processor runs against the reference's bits, as a program
// without Swift's runtime: for processors that are emulated (processors.py). What is not a number
// need not be so in the same way: its bits are the processor's.
import Kernels
import Platform

/// What has been compared so far.
struct Check {
  var comparisons = 0
  var failures = 0

  /// Counts a comparison, and says what it was of when it failed.
  mutating func expect(_ same: Bool, _ table: KernelTable, _ what: @autoclosure () -> String) {
    comparisons += 1
    if same { return }
    failures += 1
    if failures <= 20 { print("\(table.name): \(what())") }
  }
}

@_silgen_name("kernels_table_reference") func referenceTable() -> KernelTable

#if arch(x86_64)
@_silgen_name("kernels_table_avx2") func avx2Table() -> KernelTable
@_silgen_name("kernels_table_avxvnni") func avxvnniTable() -> KernelTable
@_silgen_name("kernels_table_avx512") func avx512Table() -> KernelTable

/// The tables beside the reference that this processor runs.
func fastTables() -> [KernelTable] {
  (platform_has_avx2() != 0 ? [avx2Table()] : [])
    + (platform_has_avxvnni() != 0 ? [avxvnniTable()] : [])
    + (platform_has_avx512() != 0 ? [avx512Table()] : [])
}
#elseif arch(arm64)
@_silgen_name("kernels_table_neon") func neonTable() -> KernelTable
@_silgen_name("kernels_table_dotprod") func dotProdTable() -> KernelTable
@_silgen_name("kernels_table_i8mm") func i8mmTable() -> KernelTable

func fastTables() -> [KernelTable] {
  [neonTable()] + (platform_has_dot_product() != 0 ? [dotProdTable()] : [])
    + (platform_has_i8mm() != 0 ? [i8mmTable()] : [])
}
#endif

/// SplitMix64.
struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  /// A value in -size...size.
  mutating func float(_ size: Float) -> Float { Float.random(in: -1...1, using: &self) * size }
}

/// Zeroed memory whose last byte lies before a page that cannot be touched.
final class Guarded {
  private let pages: UnsafeMutableRawPointer
  private let pageBytes: Int
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  private init(_ pages: UnsafeMutableRawPointer, _ pageBytes: Int, _ byteCount: Int) {
    (self.pages, self.pageBytes, self.byteCount) = (pages, pageBytes, byteCount)
    base = pages + (pageBytes - byteCount)
  }

  static func bytes(_ count: Int) -> Guarded {
    let size = 65536
    let pageBytes = (count + size - 1) / size * size
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let pages = mmap(nil, pageBytes + size, PROT_READ | PROT_WRITE, flags, -1, 0),
      mprotect(pages + pageBytes, size, PROT_NONE) == 0
    else { fatalError() }
    return Guarded(pages, pageBytes, count)
  }
  static func floats(_ values: [Float]) -> Guarded {
    let memory = bytes(values.count * 4)
    for i in values.indices { memory.floats[i] = values[i] }
    return memory
  }
  deinit { munmap(pages, pageBytes + 65536) }

  var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
  var doubles: UnsafeMutablePointer<Double> { base.assumingMemoryBound(to: Double.self) }

  /// Whether two hold the same bytes.
  func equals(_ other: Guarded) -> Bool { memcmp(base, other.base, byteCount) == 0 }

  /// Whether `count` floats from `first` on are the same, or no numbers in both.
  func hasFloats(of other: Guarded, _ first: Int = 0, _ count: Int? = nil) -> Bool {
    (first..<first + (count ?? byteCount / 4)).allSatisfy { same(floats[$0], other.floats[$0]) }
  }
}

func same(_ a: Float, _ b: Float) -> Bool { a.bitPattern == b.bitPattern || (a != a && b != b) }
func same(_ a: Double, _ b: Double) -> Bool { a.bitPattern == b.bitPattern || (a != a && b != b) }

@c(main)
public func main() -> CInt {
  let tables = fastTables()
  var check = Check()
  checkProducts(tables, &check)
  checkBundles(tables, &check)
  checkRows(tables, &check)
  checkAttention(tables, &check)
  checkScores(tables, &check)
  for table in tables { print(table.name) }
  print("\(check.comparisons) comparisons, \(check.failures) failures")
  return tables.isEmpty || check.failures > 0 ? 1 : 0
}
