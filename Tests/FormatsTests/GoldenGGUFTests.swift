// Files that the `gguf` package wrote, against what the same package reads from them.
// Made by Tests/Oracle/formats/make_gguf.py.

import Formats
import Support
import Testing

@Suite struct GoldenGGUF {
  static let folder =
    #filePath.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/Oracle/formats/"

  private func text(_ name: String) throws -> String {
    String(decoding: try fileBytes(Self.folder + name), as: UTF8.self)
  }

  @Test("metadata is the JSON that Python prints")
  func metadata() throws {
    let file = try openModel(Self.folder + "golden.gguf")
    let keys = try text("golden.json").dropLast("}\n".count)
    #expect(try metadataJSON(nil, of: file)?.hasPrefix(keys + ", \"tensors\": {") == true)
  }

  @Test(
    "tensors have the package's types, shapes, places and bytes",
    arguments: [
      ("golden.gguf", "golden.tensors", 1),
      ("golden-split-00001-of-00003.gguf", "golden-split.tensors", 3),
    ])
  func tensors(path: String, expected: String, parts: Int) throws {
    let file = try openModel(Self.folder + path)
    #expect(file.partCount == parts)
    var lines = ""
    for tensor in file.tensors {
      let sum = try contents(of: tensor.name, in: file).reduce(0) { $0 + Int($1) }
      let shape = tensor.dimensions.map(String.init).joined(separator: "x")
      lines += "\(tensor.name) \(tensor.type.name) \(shape) \(tensor.offset) "
      lines += "\(tensor.byteCount) \(sum)\n"
    }
    #expect(try lines == text(expected))
  }
}
