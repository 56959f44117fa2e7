// Helpers of this room's tests: a good little model, and opening bytes as a file.

import Base
import Formats
import Support
import Testing

/// A good file with a value of every kind and three tensors, small enough to be damaged at every
/// byte.
func tinyModel() -> GGUFWriter {
  var writer = GGUFWriter()
  writer.add("general.architecture", .text("llama"))
  writer.add("general.alignment", .uint32(32))
  writer.add("llama.block_count", .uint32(2))
  writer.add("llama.attention.layer_norm_rms_epsilon", .float32(1e-5))
  writer.add("tokenizer.ggml.tokens", .texts(["<unk>", "<s>", "</s>"]))
  writer.add("tokenizer.ggml.scores", .floats([0, -1, -2.5]))
  writer.add("tokenizer.ggml.add_bos_token", .bool(true))
  writer.add("flags", .array(.bool, [.bool(true), .bool(false)]))
  writer.addTensor("output_norm.weight", [3], floats: [1, 2, 3])
  writer.addTensor("blk.0.attn_q.weight", .q8_0, [32, 2], bytes: [UInt8](0..<68))
  writer.addTensor("blk.0.ffn_gate_exps.weight", .f16, [2, 2, 2], bytes: [UInt8](0..<16))
  return writer
}

/// A file with one key of the given value.
func model(with key: String, _ value: GGUFWriter.Value) -> [UInt8] {
  var writer = tinyModel()
  writer.add(key, value)
  return writer.bytes()
}

/// Opens a model by its path.
func openModel(_ path: String, calls: FileCalls = .system) throws(EngineError) -> Checkpoint {
  // Typed errors do not pass through `withCString`.
  let path = Array(path.utf8CString)
  return try path.withUnsafeBufferPointer { (bytes) throws(EngineError) in
    guard let start = bytes.baseAddress else { throw EngineError(.internal, "no path") }
    return try Checkpoint.open(path: start, calls: calls)
  }
}

/// Opens bytes as a model in a file of its own.
func openModel(bytes: [UInt8], name: String = "model.gguf") throws -> Checkpoint {
  try withTemporaryDirectory { directory in
    try writeFile(bytes, to: "\(directory)/\(name)")
    return try openModel("\(directory)/\(name)")
  }
}

/// The bytes of a whole tensor.
func contents(of name: String, in file: Checkpoint) throws -> [UInt8] {
  let tensor = try #require(file.tensor(name))
  var bytes = [UInt8](repeating: 0xee, count: tensor.byteCount)
  try bytes.withUnsafeMutableBytes { (buffer: UnsafeMutableRawBufferPointer) in
    try file.read(into: buffer, part: tensor.part, at: tensor.offset)
  }
  return bytes
}

/// The JSON of a key, or of all metadata; nil when the key is absent.
///
/// Expects that the count is the same with and without memory, and that nothing is written behind.
func metadataJSON(_ key: String?, of file: Checkpoint) throws -> String? {
  let text = file.metadataText()
  let none = UnsafeMutableBufferPointer<UInt8>(start: nil, count: 0)
  guard let count = try text.write(key, into: none) else { return nil }
  var bytes = [UInt8](repeating: 0xee, count: count + 8)
  let written = try bytes.withUnsafeMutableBufferPointer {
    try text.write(key, into: UnsafeMutableBufferPointer(rebasing: $0[..<count]))
  }
  #expect(written == count)
  #expect(bytes[count...].allSatisfy { $0 == 0xee })
  return String(decoding: bytes[..<count], as: UTF8.self)
}

/// Expects that the bytes are refused, with a kind and words of the sentence.
func expectRefusal(
  _ bytes: [UInt8], _ kind: EngineError.Kind, _ words: String...,
  location: SourceLocation = #_sourceLocation
) {
  expectError(kind, words, location: location) { _ = try openModel(bytes: bytes) }
}

/// Expects an error of a kind, with words of the sentence, and that the sentence is well made.
func expectError(
  _ kind: EngineError.Kind, _ words: [String], location: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("accepted; expected \(kind) \(words)", sourceLocation: location)
  } catch let error as EngineError {
    #expect(error.kind == kind, "\(error.message)", sourceLocation: location)
    for word in words {
      #expect(error.message.contains(word), "\(error.message)", sourceLocation: location)
    }
    expectWellMade(error.message, location: location)
  } catch {
    Issue.record("\(error)", sourceLocation: location)
  }
}

/// Expects one line without full stop that fits the buffer of the C boundary.
func expectWellMade(_ sentence: String, location: SourceLocation = #_sourceLocation) {
  #expect(!sentence.hasSuffix("."), sourceLocation: location)
  #expect(sentence.utf8.count <= 1023, sourceLocation: location)
  #expect(sentence.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, sourceLocation: location)
}
