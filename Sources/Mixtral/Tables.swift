// The kernel tables of this build, and which of them the processor runs.
//
// The rooms of the tables are not imported: Embedded Swift compiles what a room imports once more,
// with the importer's instruction set. Each has a function with a fixed name instead.
import Base
import CMixtral
import Kernels
import Platform

@_silgen_name("kernels_table_reference") private func referenceTable() -> KernelTable
@_silgen_name("kernels_table_avx2") private func avx2Table() -> KernelTable
@_silgen_name("kernels_table_avxvnni") private func avxvnniTable() -> KernelTable
@_silgen_name("kernels_table_avx512") private func avx512Table() -> KernelTable

/// The kernels of an instruction set that this processor has.
func kernelTable(_ isa: UInt32) throws(EngineError) -> KernelTable {
  let avx2 = platform_has_avx2() != 0
  let avxvnni = platform_has_avxvnni() != 0
  let avx512 = platform_has_avx512() != 0
  switch Int(isa) {
  case MIXTRAL_ISA_AUTO:
    return avx512 ? avx512Table() : avxvnni ? avxvnniTable() : avx2 ? avx2Table() : referenceTable()
  case MIXTRAL_ISA_REFERENCE: return referenceTable()
  case MIXTRAL_ISA_AVX2 where avx2: return avx2Table()
  case MIXTRAL_ISA_AVXVNNI where avxvnni: return avxvnniTable()
  case MIXTRAL_ISA_AVX512 where avx512: return avx512Table()
  case MIXTRAL_ISA_AVX2, MIXTRAL_ISA_AVXVNNI, MIXTRAL_ISA_AVX512:
    throw EngineError(.unsupported, "isa is \(isa); this processor does not have it")
  default:
    throw EngineError(.invalidArgument, "isa is \(isa); allowed 0..4")
  }
}
