// Helpers of the tokenizer tests: files of the repository, golden files, calls with plain arrays.
import Base
import Formats
import Glibc
import Testing
import Text

/// The path of `name` in the repository.
func repositoryPath(_ name: String) -> String {
  let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
  return parts.joined(separator: "/") + "/" + name
}

/// The bytes of a file; nil when it cannot be read.
func contents(_ path: String) -> [UInt8]? {
  guard let file = fopen(path, "rb") else { return nil }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = fread(&chunk, 1, chunk.count, file), count > 0 {
    bytes += chunk[..<count]
  }
  return bytes
}

/// The value of an environment variable.
func environment(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}

/// A line of a golden file: a text and the oracle's ids.
struct Golden {
  let text: [UInt8]
  let ids: [Int32]

  /// Reads `hexadecimal text, tab, ids` a line.
  static func read(_ path: String) -> [Golden]? {
    guard let bytes = contents(path) else { return nil }
    return bytes.split(separator: 0x0A).map { line in
      let parts = line.split(separator: 0x09, omittingEmptySubsequences: false)
      let digits = parts[0].map { $0 < 0x3A ? $0 - 0x30 : $0 - 0x57 }
      let text = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
      let ids = parts[1].split(separator: 0x20).compactMap {
        Int32(String(decoding: $0, as: UTF8.self))
      }
      return Golden(text: text, ids: ids)
    }
  }
}

extension Tokenizer {
  func ids(_ text: [UInt8], _ options: EncodeOptions = []) throws -> [Int32] {
    try text.withUnsafeBytes { bytes throws(EngineError) in try encode(bytes, options: options) }
  }

  func ids(_ text: String, _ options: EncodeOptions = []) throws -> [Int32] {
    try ids(Array(text.utf8), options)
  }

  func bytes(_ ids: [Int32], _ options: DecodeOptions = []) throws -> [UInt8] {
    try ids.withUnsafeBufferPointer { ids throws(EngineError) in
      try decode(ids, options: options)
    }
  }

  func text(_ ids: [Int32], _ options: DecodeOptions = []) throws -> String {
    String(decoding: try bytes(ids, options), as: UTF8.self)
  }

  /// The warnings: what the file says and was not believed.
  func warned() throws -> [String] {
    try (0..<warnings.count).map { String(decoding: try warnings[$0], as: UTF8.self) }
  }
}

extension StreamingDecoder {
  mutating func feed(_ ids: [Int32]) throws -> [UInt8] {
    try ids.withUnsafeBufferPointer { ids throws(EngineError) in try next(ids) }
  }
}

/// How many goldens the tokenizer misses, with the first few described.
func mismatches(
  _ tokenizer: Tokenizer, _ goldens: [Golden], _ options: Tokenizer.EncodeOptions = []
) throws -> (count: Int, first: [String]) {
  var count = 0
  var first: [String] = []
  for golden in goldens {
    let ids = try tokenizer.ids(golden.text, options)
    guard ids != golden.ids else { continue }
    count += 1
    if first.count < 3 {
      first.append("\(String(decoding: golden.text, as: UTF8.self)): \(golden.ids) but \(ids)")
    }
  }
  return (count, first)
}

/// The model of Nemo's shape, with Tekken cut to 2,560 ids.
let nemoShapePath = "Tests/Oracle/models/nemo-shape-demo-f16.gguf"

/// The tokenizer of a GGUF file.
func tokenizer(at path: String) throws -> Tokenizer {
  let checkpoint = try path.withCString { path throws(EngineError) in
    try Checkpoint.open(path: path)
  }
  let rows = try checkpoint.metadata.strings("tokenizer.ggml.tokens")?.count ?? 0
  return try Tokenizer(checkpoint.tokenizer(rows: rows), rows: rows)
}

/// The tokenizer of the GGUF file that an environment variable names.
func namedTokenizer(_ variable: String) throws -> Tokenizer {
  try tokenizer(at: try #require(environment(variable)))
}

private let sharedDemoTokenizer = Result {
  try tokenizer(at: repositoryPath("examples/models/mixtral-demo-q4_k_m.gguf"))
}

/// Mistral's v1 tokenizer of 32,000 ids, as the bundled model has it.
func demoTokenizer() throws -> Tokenizer { try sharedDemoTokenizer.get() }

/// `bytes` as text with one U+FFFD for each byte that is part of no character, as sentencepiece
/// writes it.
func replacingBadBytes(_ bytes: [UInt8]) -> String {
  var text = ""
  var position = 0
  while position < bytes.count {
    let character = (1...4).lazy.compactMap { length in
      String(validating: bytes[position...].prefix(length), as: UTF8.self)
    }.first
    text += character ?? "\u{FFFD}"
    position += character?.utf8.count ?? 1
  }
  return text
}
