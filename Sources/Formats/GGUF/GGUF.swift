// A GGUF model as a whole: one file or the parts of a split one, translated into a checkpoint.
import Base

/// The format GGUF: opening its files, and how they spell what a model consists of.
package enum GGUF {
  /// Opens a model through the given system calls.
  static func open(
    path: UnsafePointer<CChar>, calls: FileCalls, _ packedBlock: @escaping PackedBlock
  ) throws(EngineError) -> Checkpoint {
    let parts = try unsafe GGUFSplit.open(path: path, calls: calls, packedBlock)
    var tensors: [StoredTensor] = []
    var names = NameTable()
    var byteCount: UInt64 = 0
    var files: [InputFile] = []
    for number in below(parts.count) {
      let part = try parts.at(number)
      files.append(part.file)
      guard UInt64(clamping: tensors.count &+ part.tensors.count) <= Limits.tensorCount else {
        throw part.file.error(
          .limitExceeded,
          "the tensor count of all parts is more than \(Limits.tensorCount)")
      }
      for index in below(part.tensors.count) {
        let tensor = try part.tensors.at(index)
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
    try checkCount(tensors, of: parts, first)
    try checkPacked(tensors, first)
    return Checkpoint(
      format: "GGUF version \(first.version)", metadata: first.metadata, tensors: tensors,
      names: names, files: files, firstFile: first.file, byteCount: byteCount,
      spelling: spelling)
  }

  /// Throws `.malformed` for no tensors, and for more or fewer than the parts say.
  private static func checkCount(
    _ tensors: [StoredTensor], of parts: [GGUFPart], _ first: GGUFPart
  ) throws(EngineError) {
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
  }
}
