// The kernel tables of this build, and which of them the processor runs.
//
// The rooms of the tables are not imported: Embedded Swift compiles what a room imports once more,
// with the importer's instruction set. Each has a function with a fixed name instead.
import Base
import CMixtral
import Kernels
import Platform

/// A table that some processors run: its number in the header, and whether this one does.
private typealias Candidate = (isa: Int, runs: Bool, table: () -> KernelTable)

@_silgen_name("kernels_table_reference") private func referenceTable() -> KernelTable

#if arch(x86_64)
  @_silgen_name("kernels_table_avx2") private func avx2Table() -> KernelTable
  @_silgen_name("kernels_table_avxvnni") private func avxvnniTable() -> KernelTable
  @_silgen_name("kernels_table_avx512") private func avx512Table() -> KernelTable

  /// The tables beside the reference, the best first.
  private func candidates() -> [Candidate] {
    [
      (MIXTRAL_ISA_AVX512, platform_has_avx512() != 0, avx512Table),
      (MIXTRAL_ISA_AVXVNNI, platform_has_avxvnni() != 0, avxvnniTable),
      (MIXTRAL_ISA_AVX2, platform_has_avx2() != 0, avx2Table),
    ]
  }
#else
  private func candidates() -> [Candidate] { [] }
#endif

/// The kernels of an instruction set that this processor has.
func kernelTable(_ isa: UInt32) throws(EngineError) -> KernelTable {
  switch Int(isa) {
  case MIXTRAL_ISA_AUTO:
    return candidates().first { $0.runs }?.table() ?? referenceTable()
  case MIXTRAL_ISA_REFERENCE:
    return referenceTable()
  case MIXTRAL_ISA_REFERENCE...MIXTRAL_ISA_AVXVNNI:
    let found = candidates().first { $0.isa == Int(isa) && $0.runs }
    guard let found else {
      throw EngineError(.unsupported, "isa is \(isa); this processor does not have it")
    }
    return found.table()
  default:
    throw EngineError(.invalidArgument, "isa is \(isa); allowed 0..4")
  }
}
