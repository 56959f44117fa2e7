// Models in several files.

import Base
import Formats
import Support
import Testing

@Suite struct Split {
  /// Writes the little model as three parts, changed, and expects the refusal.
  private func expectRefusal(
    _ kind: EngineError.Kind, _ words: String..., open number: Int = 1, remove: Int? = nil,
    location: SourceLocation = #_sourceLocation, _ change: (inout [GGUFWriter]) -> Void = { _ in }
  ) throws {
    try withTemporaryDirectory { directory in
      var parts = tinyModel().parts(3)
      change(&parts)
      for (i, part) in parts.enumerated() where i + 1 != remove {
        let path = GGUFWriter.partPath(prefix: "\(directory)/m", number: i + 1, count: 3)
        try part.write(to: path)
      }
      let path = GGUFWriter.partPath(prefix: "\(directory)/m", number: number, count: 3)
      expectError(kind, words, location: location) { _ = try openModel(path) }
    }
  }

  /// Replaces a key of one part.
  private func set(_ key: String, _ value: GGUFWriter.Value, in part: inout GGUFWriter) {
    part.keys.removeAll { $0.key.elementsEqual(key.utf8) }
    part.add(key, value)
  }

  @Test("parts are one model", arguments: 1...5)
  func whole(count: Int) throws {
    let writer = tinyModel()
    try withTemporaryDirectory { directory in
      let paths = try writer.writeParts(count, prefix: "\(directory)/m")
      let file = try openModel(paths[0])
      #expect(file.partCount == count)
      #expect(file.byteCount == UInt64(try paths.reduce(0) { try $0 + fileBytes($1).count }))
      for tensor in writer.tensors {
        let name = String(decoding: tensor.name, as: UTF8.self)
        #expect(try contents(of: name, in: file) == tensor.bytes)
      }
      #expect(
        file.tensors.map(\.name) == writer.tensors.map { String(decoding: $0.name, as: UTF8.self) })
    }
  }

  @Test("a first part without tensors is read")
  func metadataOnly() throws {
    try withTemporaryDirectory { directory in
      var parts = tinyModel().parts(2)
      parts[1].tensors = parts[0].tensors + parts[1].tensors
      parts[0].tensors = []
      for (i, part) in parts.enumerated() {
        try part.write(to: GGUFWriter.partPath(prefix: "\(directory)/m", number: i + 1, count: 2))
      }
      let file = try openModel(GGUFWriter.partPath(prefix: "\(directory)/m", number: 1, count: 2))
      #expect(file.tensors.map(\.part) == [1, 1, 1])
    }
  }

  @Test("G56 a missing part is named")
  func missing() throws {
    try expectRefusal(
      .inputOutput, "part 2 of 3", "'m-00002-of-00003.gguf'", "ENOENT", remove: 2)
    try expectRefusal(.notFound, "'m-00001-of-00003.gguf'", "ENOENT", remove: 1)
  }

  @Test("G56 parts that do not belong together")
  func strangers() throws {
    try expectRefusal(
      .malformed, "'m-00003-of-00003.gguf'", "'split.no' is 1", "its name says 2"
    ) { set("split.no", .uint16(1), in: &$0[2]) }
    try expectRefusal(.malformed, "'split.count' is 4", "says 3") {
      set("split.count", .uint16(4), in: &$0[1])
    }
    try expectRefusal(.malformed, "'split.count' is absent") {
      $0[1].keys.removeAll { $0.key.elementsEqual("split.count".utf8) }
    }
    try expectRefusal(.malformed, "'split.no' is absent") {
      $0[1].keys.removeAll { $0.key.elementsEqual("split.no".utf8) }
    }
    try expectRefusal(.malformed, "'general.architecture' is 'gpt2'", "says 'llama'") {
      $0[1].add("general.architecture", .text("gpt2"))
    }
    try expectRefusal(.malformed, "'output_norm.weight' appears twice") {
      $0[1].tensors = $0[0].tensors
    }
  }

  @Test("parts that llama-gguf-split merged count none")
  func merged() throws {
    var writer = tinyModel()
    set("split.count", .uint16(0), in: &writer)
    set("split.no", .uint16(0), in: &writer)
    set("split.tensors.count", .int32(3), in: &writer)
    #expect(try openModel(bytes: writer.bytes()).tensors.count == 3)
  }

  @Test("G57 counts of parts and tensors")
  func counts() throws {
    try expectRefusal(.malformed, "'split.count' is 65536") {
      set("split.count", .uint32(65_536), in: &$0[0])
    }
    try expectRefusal(.limitExceeded, "'split.count' is 1025", "1..1024") {
      set("split.count", .uint32(1_025), in: &$0[0])
    }
    try expectRefusal(.malformed, "name must end in '-00001-of-00002.gguf'") {
      set("split.count", .uint16(2), in: &$0[0])
    }
    try expectRefusal(.malformed, "'split.no' is 3", "0..2") {
      set("split.no", .uint16(3), in: &$0[0])
    }
    try expectRefusal(.malformed, "'split.tensors.count' is 9", "says 3") {
      set("split.tensors.count", .int32(9), in: &$0[1])
    }
    try expectRefusal(.malformed, "'split.tensors.count' is 9", "the 3 parts have 3") {
      for i in $0.indices { set("split.tensors.count", .int32(9), in: &$0[i]) }
    }
  }

  @Test("G57 a later part says which to open", arguments: 2...3)
  func laterPart(number: Int) throws {
    try expectRefusal(
      .unsupported, "part \(number) of 3", "open part 1: 'm-00001-of-00003.gguf'", open: number)
  }

  @Test("a split file under another name says what its name must be")
  func renamed() throws {
    expectError(.malformed, ["part 2 of 3", "'-00002-of-00003.gguf'"]) {
      _ = try openModel(bytes: tinyModel().parts(3)[1].bytes())
    }
  }
}
