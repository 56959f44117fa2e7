// Files that are right but for a few broken rules, whole or in parts: the generator gets past the
// first checks, where random bytes stay.
import CMixtral
import Support

private let file = MemoryFile()

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  var choices = Choices(data, size)
  let broken = choices.below(4)
  var loading = Loading()
  loading.isa = choices.chance() ? MIXTRAL_ISA_AUTO : MIXTRAL_ISA_REFERENCE
  loading.window = choices.pick([0, 0, 0, -1, 1, 5])
  loading.experts = choices.pick([0, 0, 0, 2])
  let parts = choices.byte() >= 224 ? 2 + choices.below(2) : 1
  let tiny = chooseModel(&choices)
  var writer = file(tiny)
  if choices.byte() >= 128 {
    makeByteLevel(&writer, &choices, vocabulary: tiny.vocabulary)
  }
  if parts > 1 {
    loadParts(writer, parts, broken, loading, &choices)
    return 0
  }
  for _ in 0..<broken { breakRule(&writer, &choices) }
  var bytes = writer.bytes()
  if choices.byte() >= 240 { bytes.removeLast(choices.below(65_536) % bytes.count) }
  file.write(bytes)
  loadAndUse(file.path, loading)
  return 0
}

/// The model as a split one, one part of which may be broken or missing.
private func loadParts(
  _ writer: GGUFWriter, _ count: Int, _ broken: Int, _ loading: Loading, _ choices: inout Choices
) {
  var parts = writer.parts(count)
  for _ in 0..<broken { breakRule(&parts[choices.below(count)], &choices) }
  let missing = choices.byte() >= 240 ? choices.below(count) : -1
  for (i, part) in parts.enumerated() {
    let path = SharedMemory.part(i + 1, count)
    if i == missing { SharedMemory.remove(path) } else { SharedMemory.write(part.bytes(), path) }
  }
  var loading = loading
  loading.mayBeMissing = missing >= 0
  loadAndUse(SharedMemory.part(1, count), loading)
}
