// Packed files, read and mapped: a model is packed by the library and then some bytes of the file
// are changed. What stays whole has to give the logits of its source, to the bit.
import CMixtral
import Support

private let changed = MemoryFile()
/// Packed files by the choice of model.
nonisolated(unsafe) private var known: [Int: [UInt8]] = [:]

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  var choices = Choices(data, size)
  let which = choices.below(4)
  var bytes = packed(which)
  var loading = Loading()
  let edits = choices.below(12)
  for _ in 0..<edits { edit(&bytes, &choices) }
  for map in [false, true] {
    changed.write(bytes)
    loading.map = map
    loadAndUse(changed.path, loading)
  }
  return 0
}

private func edit(_ bytes: inout [UInt8], _ choices: inout Choices) {
  guard !bytes.isEmpty else { return }
  // Most of the time in the header, where a byte means more.
  let place = choices.bits(UInt16.self)
  let header = bytes.count > 3000 ? 3000 : bytes.count
  let at = Int(place) % (choices.byte() < 200 ? header : bytes.count)
  switch choices.below(6) {
  case 0: bytes[at] = choices.byte()
  case 1: bytes[at] ^= 1 << (choices.byte() & 7)
  case 2: bytes.removeLast(min(bytes.count, Int(place)))
  case 3: bytes.remove(at: at)
  case 4: bytes.insert(choices.byte(), at: at)
  default:
    let number = choices.number()
    for i in 0..<8 where at + i < bytes.count {
      bytes[at + i] = UInt8(truncatingIfNeeded: number >> UInt64(8 * i))
    }
  }
}

/// The packed file of one of four models.
private func packed(_ which: Int) -> [UInt8] {
  if let bytes = known[which] { return bytes }
  let tiny =
    switch which {
    case 0: TinyModel(layers: 1, hidden: 32, heads: 2, feedForward: 32, experts: 2, vocabulary: 17)
    case 1: TinyModel(layers: 1, hidden: 32, heads: 2, feedForward: 32, experts: 0, vocabulary: 16)
    case 2:
      TinyModel(
        layers: 1, hidden: 32, heads: 2, feedForward: 32, experts: 2, vocabulary: 17, merged: false)
    default:
      TinyModel(
        layers: 1, hidden: 256, heads: 4, feedForward: 256, experts: 0, vocabulary: 16, tied: true,
        types: [.q4_K, .q6_K, .q5_K, .q3_K, .q2_K], outer: .q6_K)
    }
  let source = "\(SharedMemory.folder)/source.gguf"
  let target = "\(SharedMemory.folder)/packed.gguf"
  SharedMemory.write(tiny.writer().bytes(), source)
  SharedMemory.remove(target)
  check(mixtral_model_pack(target, source, nil), "mixtral_model_pack")
  checkSame(source, target)
  let bytes = (try? fileBytes(target)) ?? []
  known[which] = bytes
  return bytes
}

/// The packed file gives its source's logits.
private func checkSame(_ source: String, _ target: String) {
  let expected = logits(source, Loading())
  require(!expected.isEmpty, "the source does not step")
  for map in [false, true] {
    require(logits(target, Loading(map: map)) == expected, "a packed file has other logits")
  }
}

private func logits(_ path: String, _ loading: Loading) -> [UInt32] {
  var model: OpaquePointer?
  var session: OpaquePointer?
  var options = loading.options
  check(mixtral_load(&model, path, &options), "mixtral_load")
  check(mixtral_session_create(&session, model, nil), "mixtral_session_create")
  check(mixtral_step(session, [1, 2, 3], 3), "mixtral_step")
  var logits = [Float](repeating: .nan, count: 64)
  var count = 0
  check(mixtral_logits(&count, &logits, logits.count, session), "mixtral_logits")
  check(mixtral_free(UnsafeMutableRawPointer(session)), "mixtral_free")
  check(mixtral_free(UnsafeMutableRawPointer(model)), "mixtral_free")
  return logits[..<count].map(\.bitPattern)
}
