// A model on disk, whatever its format: its settings and tensors by our names, its tokenizer, and
// the files, open for reading weights. A format translates into it when it is opened; nothing above
// knows of formats.
import Base

/// An open model on disk, checked; its files are closed with its last reference.
///
/// Nothing is mapped: `read` copies, so a file that shrinks or changes is an error and never a
/// signal. Threads: any number may read at once.
package final class Checkpoint: Sendable {
  /// The format and its version, for people.
  package let format: String
  /// The keys and values of the first file, by its own names.
  package let metadata: Metadata
  /// The tensors of all files, in their order.
  package let tensors: [StoredTensor]
  /// The size of all files in bytes.
  package let byteCount: UInt64
  /// All files, the parts that tensors speak of.
  package let files: [InputFile]
  private let names: NameTable
  private let spelling: CheckpointSpelling

  /// Opens a model by the path of its only or first file, given as the bytes that the system takes.
  ///
  /// Throws `.notFound`, `.inputOutput`, `.malformed`, `.unsupported`, `.limitExceeded`,
  /// `.outOfMemory`, `.changed`; the sentence names the file, the field and the byte offset.
  /// `packedBlock` says the sizes of packed types; without it a file that has one is unsupported.
  @export(interface)
  package static func open(
    path: UnsafePointer<CChar>, calls: FileCalls = .system,
    packedBlock: @escaping PackedBlock = { _ in nil }
  ) throws(EngineError) -> Checkpoint {
    try unsafe GGUF.open(path: path, calls: calls, packedBlock)
  }

  /// Takes over from a format that has read and checked: `files` are the parts that tensors speak
  /// of, and each name of `names` is that of the tensor at its index.
  init(
    format: String, metadata: Metadata, tensors: [StoredTensor], names: NameTable,
    files: [InputFile], firstFile: InputFile, byteCount: UInt64, spelling: CheckpointSpelling
  ) {
    self.format = format
    self.metadata = metadata
    self.tensors = tensors
    self.names = names
    self.files = files
    self.firstFile = firstFile
    self.spelling = spelling
    self.byteCount = byteCount
  }

  /// The files' entry for a setting, under their own key.
  package func said(_ setting: Setting) -> MetadataEntry {
    metadata.entry(spelling.key(setting))
  }

  /// The tokenizer as the files describe it; `rows` are the embedding's.
  ///
  /// Throws `.malformed`, `.unsupported`, `.limitExceeded`, naming key and value.
  @export(interface)
  package func tokenizer(rows: Int) throws(EngineError) -> TokenizerDescription {
    try spelling.tokenizer(metadata, rows)
  }

  /// How the files spell a tensor's name.
  package func name(_ role: TensorRole) -> String { spelling.tensor(role) }

  /// The tensor of a role; nil when there is none.
  package func tensor(_ role: TensorRole) -> StoredTensor? { tensor(name(role)) }

  /// The place of a role's tensor among `tensors`; nil when there is none.
  package func index(_ role: TensorRole) -> Int? { names.index(of: name(role)) }

  /// Whether a tensor is beside the model, so that it computes the same without it.
  package func isBeside(_ tensor: StoredTensor) -> Bool { spelling.isBeside(tensor.name) }

  /// Throws `.unsupported` for a key by which other models compute and none here does.
  @export(interface)
  package func checkForeignKeys() throws(EngineError) {
    for index in below(spelling.foreign.count) {
      let foreign = try spelling.foreign.at(index)
      let said = metadata.entry(foreign.key)
      guard let value = said.value else { continue }
      if let number = said.number, foreign.harmless.contains(number) { continue }
      throw EngineError(
        .unsupported,
        "key '\(foreign.key)' is \(value.summary), which changes what the model computes; "
          + "supported: \(foreign.allowed(like: value))")
    }
  }

  /// The number of files.
  package var partCount: Int { files.count }

  /// The tensor of a name in the files; nil when there is none.
  @export(interface)
  package func tensor(_ name: String) -> StoredTensor? {
    guard let index = names.index(of: name), index < tensors.count else { return nil }
    return tensors[index]
  }

  /// Fills `buffer` with the bytes of a part from `offset` on.
  ///
  /// Throws `.changed` when the file has become shorter, `.inputOutput` with the system's reason,
  /// `.internal` for a part or range that is not there.
  @export(interface)
  package func read(
    into buffer: UnsafeMutableRawBufferPointer, part: Int, at offset: UInt64
  ) throws(EngineError) {
    guard part >= 0, part < files.count else {
      throw EngineError(.internal, "part \(part) is read of \(files.count) parts")
    }
    try unsafe files[part].read(into: buffer, at: offset)
  }

  /// Maps a part for reading (`InputFile.map`).
  @export(interface)
  package func map(part: Int) throws(EngineError) -> FileMapping {
    guard files.indices.contains(part) else {
      throw EngineError(.internal, "part \(part) is mapped of \(files.count) parts")
    }
    return try files[part].map()
  }

  /// The first or only file, which holds the metadata.
  package let firstFile: InputFile

  /// Gives the errors of `body` about what the file says the file's name in front.
  package func naming<Result>(
    _ body: () throws(EngineError) -> Result
  ) throws(EngineError) -> Result {
    do throws(EngineError) {
      return try body()
    } catch {
      switch error.kind {
      case .malformed, .unsupported, .limitExceeded:
        // The metadata's own errors have it already.
        guard !error.message.hasPrefix("\(firstFile.name): ") else { throw error }
        throw firstFile.error(error.kind, error.message)
      default: throw error
      }
    }
  }

  /// Throws `.changed` when a part's size or time of change is no longer what was opened.
  @export(interface)
  package func checkUnchanged() throws(EngineError) {
    var part = 0
    while part < files.count {
      try files.at(part).checkUnchanged()
      part &+= 1
    }
  }

  /// The metadata as JSON text.
  @export(interface)
  package func metadataText() -> MetadataText {
    MetadataText(metadata: metadata, types: typeSums())
  }

  /// How many tensors and bytes there are of each type, in order of appearance.
  @export(interface)
  package func typeSums() -> [TensorTypeSum] {
    var types: [TensorType] = []
    var result: [TensorTypeSum] = []
    var first = 0
    while first < tensors.count, let type = try? tensors.at(first).type {
      if !types.contains(type) {
        types.append(type)
        var (count, byteCount) = (0, UInt64(0))
        // None of it came before.
        var index = first
        while index < tensors.count, let tensor = try? tensors.at(index) {
          if tensor.type == type {
            count &+= 1
            byteCount &+= UInt64(clamping: tensor.byteCount)
          }
          index &+= 1
        }
        result.append(TensorTypeSum(type: type, count: count, byteCount: byteCount))
      }
      first &+= 1
    }
    return result
  }
}
