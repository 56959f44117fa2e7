// The kernel tables of this build, and which of them the processor runs.
//
// The rooms of the tables are not imported: Embedded Swift compiles what a room imports once more,
// with the importer's instruction set. Each has a function with a fixed name instead.
import Base
import CMixtral
import Kernels
import Platform

@_silgen_name("kernels_table_reference") private func referenceTable() -> KernelTable

#if arch(x86_64)
@_silgen_name("kernels_table_avx2") private func avx2Table() -> KernelTable
@_silgen_name("kernels_table_avxvnni") private func avxvnniTable() -> KernelTable
@_silgen_name("kernels_table_avx512") private func avx512Table() -> KernelTable

/// The first table, from the best on, that `isWanted` and that the processor runs.
private func vectorTable(_ isWanted: (Int) -> Bool) -> KernelTable? {
  if isWanted(MIXTRAL_ISA_AVX512) && platform_has_avx512() != 0 { return avx512Table() }
  if isWanted(MIXTRAL_ISA_AVXVNNI) && platform_has_avxvnni() != 0 { return avxvnniTable() }
  return isWanted(MIXTRAL_ISA_AVX2) && platform_has_avx2() != 0 ? avx2Table() : nil
}
#elseif arch(arm64)
@_silgen_name("kernels_table_neon") private func neonTable() -> KernelTable
@_silgen_name("kernels_table_dotprod") private func dotProdTable() -> KernelTable
@_silgen_name("kernels_table_i8mm") private func i8mmTable() -> KernelTable

/// The first table, from the best on, that `isWanted` and that the processor runs.
private func vectorTable(_ isWanted: (Int) -> Bool) -> KernelTable? {
  if isWanted(MIXTRAL_ISA_I8MM) && platform_has_i8mm() != 0 { return i8mmTable() }
  if isWanted(MIXTRAL_ISA_DOTPROD) && platform_has_dot_product() != 0 { return dotProdTable() }
  return isWanted(MIXTRAL_ISA_NEON) ? neonTable() : nil
}
#endif

/// The kernels of an instruction set that this processor has.
func kernelTable(_ isa: UInt32) throws(EngineError) -> KernelTable {
  switch Int(isa) {
  case MIXTRAL_ISA_AUTO: return vectorTable { _ in true } ?? referenceTable()
  case MIXTRAL_ISA_REFERENCE: return referenceTable()
  case MIXTRAL_ISA_AVX2...MIXTRAL_ISA_I8MM:
    guard let table = vectorTable({ $0 == Int(isa) }) else {
      throw EngineError(.unsupported, "isa is \(isa); this processor does not have it")
    }
    return table
  default:
    throw EngineError(.invalidArgument, "isa is \(isa); allowed 0..\(MIXTRAL_ISA_I8MM)")
  }
}

extension InstructionSet {
  /// Its number in the header.
  var number: Int {
    switch self {
    case .reference: MIXTRAL_ISA_REFERENCE
    case .avx2: MIXTRAL_ISA_AVX2
    case .avxvnni: MIXTRAL_ISA_AVXVNNI
    case .avx512: MIXTRAL_ISA_AVX512
    case .neon: MIXTRAL_ISA_NEON
    case .dotProd: MIXTRAL_ISA_DOTPROD
    case .i8mm: MIXTRAL_ISA_I8MM
    }
  }
}
