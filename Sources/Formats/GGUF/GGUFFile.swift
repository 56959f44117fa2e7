// A GGUF model as a whole: one file or the parts of a split one, checked, and open for reading
// weights.
import Base

/// An open GGUF model; its files are closed with its last reference.
///
/// Nothing is mapped: `read` copies, so a file that shrinks or changes is an error and never a
/// signal. Threads: any number may read at once.
package final class GGUFFile: Sendable {
  /// The version of the format, 2 or 3, of the first part.
  package let version: UInt32
  /// The keys of the first part.
  package let metadata: GGUFMetadata
  /// The tensors of all parts, in the order of the files.
  package let tensors: [GGUFTensor]
  /// The size of all parts in bytes.
  package let byteCount: UInt64
  private let files: [InputFile]
  private let names: NameTable

  /// Opens a model by the path of its only or first file, given as the bytes that the system takes.
  ///
  /// Throws `.notFound`, `.inputOutput`, `.malformed`, `.unsupported`, `.limitExceeded`,
  /// `.outOfMemory`, `.changed`; the sentence names the file, the field and the byte offset.
  /// `packedBlock` says the sizes of packed types; without it a file that has one is unsupported.
  package convenience init(
    path: UnsafePointer<CChar>, packedBlock: @escaping PackedBlock = { _ in nil }
  ) throws(EngineError) {
    try unsafe self.init(path: path, calls: .system, packedBlock: packedBlock)
  }

  /// Opens a model through the given system calls.
  package init(
    path: UnsafePointer<CChar>, calls: FileCalls,
    packedBlock: @escaping PackedBlock = { _ in nil }
  ) throws(EngineError) {
    let parts = try unsafe GGUFSplit.open(path: path, calls: calls, packedBlock)
    var tensors: [GGUFTensor] = []
    var names = NameTable()
    var byteCount: UInt64 = 0
    var files: [InputFile] = []
    var number = 0
    while number < parts.count {
      let part = try parts.at(number)
      files.append(part.file)
      number &+= 1
      guard UInt64(clamping: tensors.count &+ part.tensors.count) <= Limits.tensorCount else {
        throw part.file.error(
          .limitExceeded,
          "the tensor count of all parts is more than \(Limits.tensorCount)")
      }
      var index = 0
      while index < part.tensors.count {
        let tensor = try part.tensors.at(index)
        index &+= 1
        guard try names.append(tensor.name) else {
          throw part.file.error(.malformed, "tensor \(quoted(tensor.name)) appears twice")
        }
        tensors.append(tensor)
      }
      // 1024 sparse files of 2^63 bytes wrap; a size that is only shown may be clamped.
      let (sum, overflow) = byteCount.addingReportingOverflow(part.file.byteCount)
      byteCount = overflow ? .max : sum
    }
    let first = try parts.at(0)
    if parts.count > 1,
      let count = try first.metadata.unsigned("split.tensors.count", in: 0...UInt64(Int32.max)),
      count != UInt64(clamping: tensors.count)
    {
      throw first.file.error(
        .malformed,
        "key 'split.tensors.count' is \(count); the \(parts.count) parts have \(tensors.count)")
    }
    guard !tensors.isEmpty else {
      throw first.file.error(
        .malformed, "the tensor count is 0; allowed is 1..\(Limits.tensorCount)")
    }
    version = first.version
    metadata = first.metadata
    self.tensors = tensors
    self.byteCount = byteCount
    self.files = files
    firstFile = first.file
    self.names = names
  }

  /// The number of files.
  package var partCount: Int { files.count }

  /// The tensor of a name; nil when there is none.
  package func tensor(_ name: String) -> GGUFTensor? {
    guard let index = names.index(of: name), index < tensors.count else { return nil }
    return tensors[index]
  }

  /// Fills `buffer` with the bytes of a part from `offset` on.
  ///
  /// Throws `.changed` when the file has become shorter, `.inputOutput` with the system's reason,
  /// `.internal` for a part or range that is not there.
  package func read(
    into buffer: UnsafeMutableRawBufferPointer, part: Int, at offset: UInt64
  ) throws(EngineError) {
    guard part >= 0, part < files.count else {
      throw EngineError(.internal, "part \(part) is read of \(files.count) parts")
    }
    try unsafe files[part].read(into: buffer, at: offset)
  }

  /// Maps a part for reading (`InputFile.map`).
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
  package func checkUnchanged() throws(EngineError) {
    var part = 0
    while part < files.count {
      try files.at(part).checkUnchanged()
      part &+= 1
    }
  }

  /// The JSON text of one key's value, or with a nil key of all keys and, under "tensors", the
  /// count and bytes of each tensor type in order of appearance; nil when the key is absent.
  package func json(_ key: String?) throws(EngineError) -> [UInt8]? {
    guard key == nil else { return try metadata.json(key) }
    var writer = JSONWriter()
    try writer.raw("{")
    try metadata.writeMembers(to: &writer)
    try writer.separate(metadata.keys.count)
    try writer.raw("\"tensors\": {")
    let types = typeSummary()
    var i = 0
    while i < types.count {
      let entry = try types.at(i)
      try writer.separate(i)
      try writer.string(entry.type.name)
      try writer.raw(": {\"count\": ")
      try writer.integer(entry.count)
      try writer.raw(", \"bytes\": ")
      try writer.integer(entry.byteCount)
      try writer.raw("}")
      i &+= 1
    }
    try writer.raw("}}")
    return try writer.bytes.array()
  }

  /// How many tensors and bytes there are of each type, in order of appearance.
  package func typeSummary() -> [(type: TensorType, count: Int, byteCount: UInt64)] {
    var types: [TensorType] = []
    var result: [(type: TensorType, count: Int, byteCount: UInt64)] = []
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
        result.append((type, count, byteCount))
      }
      first &+= 1
    }
    return result
  }
}
