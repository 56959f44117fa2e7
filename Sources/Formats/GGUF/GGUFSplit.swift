// Models cut into several files, `<prefix>-00001-of-00003.gguf` and so on. The first part has the
// metadata of the model, the others their tensors; each says which part it is. Source:
// ggml-org/llama.cpp `tools/gguf-split`.
import Base

/// Opens the parts of a split model.
struct GGUFSplit {
  /// The path before `-00001-of-00003.gguf`, as the system takes it, without NUL.
  private let prefix: Growable<UInt8>
  private let count: UInt64
  private let packedBlock: PackedBlock

  /// All parts of the model whose first file is `path`: one, unless its keys tell of more.
  static func open(
    path: UnsafePointer<CChar>, calls: FileCalls, _ packedBlock: @escaping PackedBlock
  ) throws(EngineError) -> [GGUFPart] {
    let first = try GGUFPart(
      file: unsafe InputFile.open(path: path, calls: calls), index: 0, packedBlock)
    let metadata = first.metadata
    guard
      // 0 is what llama-gguf-split writes into the one file that it merges parts into.
      let count = try metadata.unsigned("split.count", in: 0...UInt64(UInt16.max)), count > 1
    else { return [first] }
    guard count <= Limits.partCount else {
      throw first.file.error(
        .limitExceeded, "key 'split.count' is \(count); allowed is 1..\(Limits.partCount)")
    }
    let number = try metadata.unsigned("split.no", in: 0...count &- 1) ?? 0
    let name = try unsafe pathBytes(path)
    let suffix = suffix(number, of: count)
    var prefix = name
    prefix.shorten(to: max(0, name.count &- suffix.utf8.count))
    var expected = prefix
    try expected.append(suffix)
    guard try expected.array() == name.array() else {
      throw first.file.error(
        .malformed,
        "the file is part \(number &+ 1) of \(count) of a split model; its name must end in "
          + quoted(suffix))
    }
    let split = GGUFSplit(prefix: prefix, count: count, packedBlock: packedBlock)
    guard number == 0 else {
      let firstName = try split.name(of: 0)
      throw first.file.error(
        .unsupported,
        "the file is part \(number &+ 1) of \(count); open part 1: \(firstName)")
    }
    return try split.openRest(after: first, calls)
  }

  private func openRest(
    after first: GGUFPart, _ calls: FileCalls
  ) throws(EngineError) -> [GGUFPart] {
    var parts = [first]
    while UInt64(clamping: parts.count) < count {
      let number = UInt64(clamping: parts.count)
      let part = try openPart(number, calls)
      try check(part, number, against: first)
      parts.append(part)
    }
    return parts
  }

  private func openPart(_ number: UInt64, _ calls: FileCalls) throws(EngineError) -> GGUFPart {
    var path = prefix
    try path.append(Self.suffix(number, of: count))
    try path.append(0)
    let file: InputFile
    do throws(EngineError) {
      guard let start = unsafe try path.first(path.count).baseAddress else {
        throw EngineError(.internal, "a path without bytes")
      }
      file = try unsafe InputFile.open(
        path: UnsafePointer(start.assumingMemoryBound(to: CChar.self)), calls: calls)
    } catch {
      // The file that was asked for is there, so this is not `.notFound`.
      let kind = error.kind == .notFound ? .inputOutput : error.kind
      throw EngineError(kind, "part \(number &+ 1) of \(count): \(error.message)")
    }
    return try GGUFPart(file: file, index: Int(clamping: number), packedBlock)
  }

  private func check(
    _ part: GGUFPart, _ number: UInt64, against first: GGUFPart
  ) throws(EngineError) {
    let metadata = part.metadata
    let anyPart: ClosedRange<UInt64> = 0...UInt64(UInt16.max)
    let foundCount = try metadata.unsigned("split.count", in: anyPart)
    guard foundCount == count else {
      throw part.file.error(
        .malformed,
        "key 'split.count' is \(spelled(foundCount)); \(first.file.name) says \(count)")
    }
    let foundNumber = try metadata.unsigned("split.no", in: anyPart)
    guard foundNumber == number else {
      throw part.file.error(
        .malformed, "key 'split.no' is \(spelled(foundNumber)); its name says \(number)")
    }
    let anyCount: ClosedRange<UInt64> = 0...UInt64(Int32.max)
    let tensorCount = try first.metadata.unsigned("split.tensors.count", in: anyCount)
    if let found = try metadata.unsigned("split.tensors.count", in: anyCount),
      let tensorCount, found != tensorCount
    {
      throw part.file.error(
        .malformed,
        "key 'split.tensors.count' is \(found); \(first.file.name) says \(tensorCount)")
    }
    if let found = try metadata.string("general.architecture"),
      let architecture = try first.metadata.string("general.architecture"), found != architecture
    {
      throw part.file.error(
        .malformed,
        "key 'general.architecture' is \(quoted(found)); \(first.file.name) says "
          + quoted(architecture))
    }
  }

  private func name(of number: UInt64) throws(EngineError) -> String {
    var start = prefix.count
    while start > 0, try prefix.at(start &- 1) != UInt8(ascii: "/") { start &-= 1 }
    var name = Growable<UInt8>()
    try name.append(prefix, start, prefix.count &- start)
    try name.append(Self.suffix(number, of: count))
    return quoted(try name.array())
  }

  private static func suffix(_ number: UInt64, of count: UInt64) -> String {
    "-\(padded(number &+ 1))-of-\(padded(count)).gguf"
  }
}

private func padded(_ number: UInt64) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, 5 &- digits.utf8.count)) + digits
}

private func spelled(_ number: UInt64?) -> String { number.map { "\($0)" } ?? "absent" }

private func pathBytes(_ path: UnsafePointer<CChar>) throws(EngineError) -> Growable<UInt8> {
  var bytes = Growable<UInt8>()
  while unsafe path[bytes.count] != 0 {
    try bytes.append(UInt8(bitPattern: unsafe path[bytes.count]))
  }
  return bytes
}
