// The tables that this processor runs, found as the library finds them; a table that is missing is
// a failure of every test that asks.
import Kernels
import KernelsAVX2
import KernelsAVX512
import KernelsAVXVNNI
import KernelsReference
import Platform
import Testing

enum Tables {
  /// Every table of this processor, the reference first.
  static let all: [KernelTable] =
    [.reference] + (platform_has_avx2() != 0 ? [.avx2] : [])
    + (platform_has_avxvnni() != 0 ? [.avxvnni] : [])
    + (platform_has_avx512() != 0 ? [.avx512] : [])

  /// The tables that are compared with the reference.
  static var fast: [KernelTable] { Array(all.dropFirst()) }
}

@Suite("tables")
struct TableTests {
  @Test("no table is skipped that the processor has")
  func present() throws {
    print("tables that run:", Tables.all.map(\.name).joined(separator: ", "))
    // The system's own list of features, read apart from the library's detection.
    let flags = try processorFlags()
    let avx2: Set<Substring> = ["avx2", "fma", "f16c"]
    let avxvnni: Set<Substring> = ["avx_vnni"]
    let avx512: Set<Substring> = [
      "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni",
    ]
    let names = Tables.all.map(\.name)
    #expect(names.contains("reference"))
    #expect(names.contains("avx2") == avx2.isSubset(of: flags))
    #expect(names.contains("avxvnni") == avxvnni.union(avx2).isSubset(of: flags))
    #expect(names.contains("avx512") == avx512.union(avx2).isSubset(of: flags))
  }
}
