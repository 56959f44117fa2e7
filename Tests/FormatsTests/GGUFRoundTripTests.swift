// Good files: what is written is read.

import Formats
import Support
import Testing

@Suite struct GGUFRoundTrip {
  @Test("each of the 13 value types is read as it was written", arguments: [2, 3] as [UInt32])
  func valueTypes(version: UInt32) throws {
    var writer = tinyModel()
    writer.version = version
    writer.add("u8", .uint8(.max))
    writer.add("i8", .int8(.min))
    writer.add("u16", .uint16(.max))
    writer.add("i16", .int16(.min))
    writer.add("u32", .uint32(.max))
    writer.add("i32", .int32(.min))
    writer.add("u64", .uint64(.max))
    writer.add("i64", .int64(.min))
    writer.add("f32", .float32(-0.1))
    writer.add("f64", .float64(1e300))
    writer.add("bool", .bool(true))
    writer.add("string", .text("▁é"))
    writer.add("array", .array(.int16, [.int16(-1), .int16(7)]))
    let file = try openModel(bytes: writer.bytes())
    #expect(file.format == "GGUF version \(version)")
    let metadata = file.metadata
    let anything: ClosedRange<UInt64> = 0...(.max)
    #expect(try metadata.unsigned("u8", in: anything) == 255)
    #expect(try metadata.unsigned("u16", in: anything) == 65_535)
    #expect(try metadata.unsigned("u32", in: anything) == 4_294_967_295)
    #expect(try metadata.unsigned("u64", in: anything) == .max)
    for (key, value) in [("i8", -128), ("i16", -32_768), ("i32", -2_147_483_648)] {
      guard case .signed(Int64(value)) = metadata.value(key) else {
        Issue.record("\(key)")
        continue
      }
    }
    guard case .signed(.min) = metadata.value("i64") else { throw Absent() }
    guard case .float64(1e300) = metadata.value("f64") else { throw Absent() }
    #expect(try metadata.float("f32") == -0.1)
    #expect(try metadata.float("f64") == .infinity)
    #expect(try metadata.bool("bool") == true)
    #expect(try metadata.string("string") == "▁é")
    let array = try #require(try metadata.integers("array"))
    #expect((0..<3).map(array.integer) == [-1, 7, 0])
    #expect(metadata.keys == writer.keys.map { String(decoding: $0.key, as: UTF8.self) })
  }

  struct Absent: Error {}

  @Test("arrays of every element type are read, and nothing beyond their ends")
  func arrays() throws {
    var writer = tinyModel()
    writer.add("u8", .array(.uint8, [.uint8(200)]))
    writer.add("i8", .array(.int8, [.int8(-2)]))
    writer.add("u16", .array(.uint16, [.uint16(60_000)]))
    writer.add("u32", .array(.uint32, [.uint32(4_000_000_000)]))
    writer.add("i32", .array(.int32, [.int32(-3)]))
    writer.add("u64", .array(.uint64, [.uint64(.max)]))
    writer.add("i64", .array(.int64, [.int64(.min)]))
    writer.add("f32", .array(.float32, [.float32(0.5)]))
    writer.add("f64", .array(.float64, [.float64(0.25)]))
    writer.add("bool", .array(.bool, [.bool(true)]))
    writer.add("string", .array(.string, [.text(""), .text("ab"), .string([0xff, 0])]))
    writer.add("empty", .array(.string, []))
    let metadata = try openModel(bytes: writer.bytes()).metadata
    func array(_ key: String) throws -> MetadataArray {
      guard case .array(let array) = metadata.value(key) else { throw Absent() }
      return array
    }
    let integers: [(String, Int64)] = [
      ("u8", 200), ("i8", -2), ("u16", 60_000), ("u32", 4_000_000_000), ("i32", -3),
      ("u64", .max), ("i64", .min), ("bool", 1), ("f32", 0), ("string", 0),
    ]
    for (key, expected) in integers {
      #expect(try array(key).integer(0) == expected, "\(key)")
      #expect(try array(key).integer(7) == 0, "\(key)")
      #expect(try array(key).integer(-1) == 0, "\(key)")
    }
    #expect(try array("f32").float(0) == 0.5)
    #expect(try array("f64").float(0) == 0.25)
    #expect(try array("u64").float(0) == 0x1p64)
    #expect(try array("i8").float(0) == -2)
    let strings = try #require(try metadata.strings("string"))
    #expect((-1..<4).map { Array(strings.bytes($0)) } == [[], [], [97, 98], [0xff, 0], []])
    #expect(try metadata.strings("empty")?.count == 0)
  }

  @Test("tensors are read as they were written")
  func tensors() throws {
    let writer = tinyModel()
    let file = try openModel(bytes: writer.bytes())
    #expect(file.tensors.count == 3)
    #expect(file.byteCount == UInt64(writer.bytes().count))
    for tensor in writer.tensors {
      let name = String(decoding: tensor.name, as: UTF8.self)
      #expect(try contents(of: name, in: file) == tensor.bytes)
      let found = try #require(file.tensor(name))
      #expect(found.dimensions.map(UInt64.init) == tensor.dimensions)
      #expect(found.type.rawValue == tensor.type)
      #expect(found.offset % 32 == 0)
    }
    #expect(file.tensor("output.weight") == nil)
  }

  @Test("G69 alignments that are read", arguments: [1, 2, 8, 64, 65_536])
  func alignments(alignment: Int) throws {
    var writer = tinyModel()
    writer.alignment = alignment
    writer.keys[1].value = .uint16(UInt16(clamping: alignment))
    if alignment > 65_535 { writer.keys[1].value = .uint64(UInt64(alignment)) }
    let file = try openModel(bytes: writer.bytes())
    for tensor in writer.tensors {
      let name = String(decoding: tensor.name, as: UTF8.self)
      #expect(try contents(of: name, in: file) == tensor.bytes)
    }
  }

  @Test("a wrong value is named with its key and what is allowed")
  func accessors() throws {
    let metadata = try openModel(bytes: model(with: "negative", .int32(-5))).metadata
    #expect(try metadata.unsigned("absent", in: 0...1) == nil)
    #expect(try metadata.float("absent") == nil)
    #expect(try metadata.bool("absent") == nil)
    #expect(try metadata.string("absent") == nil)
    #expect(try metadata.strings("absent") == nil)
    #expect(!metadata.contains("absent") && metadata.contains("negative"))
    expectError(.malformed, ["'model.gguf'", "'negative' is -5", "0..9"]) {
      _ = try metadata.unsigned("negative", in: 0...9)
    }
    expectError(.malformed, ["'llama.block_count' is 2", "3..9"]) {
      _ = try metadata.unsigned("llama.block_count", in: 3...9)
    }
    expectError(.malformed, ["string 'llama'", "0..9"]) {
      _ = try metadata.unsigned("general.architecture", in: 0...9)
    }
    expectError(.malformed, ["'flags' is an array of 2 bool", "a float"]) {
      _ = try metadata.float("flags")
    }
    expectError(.malformed, ["is 2", "a bool"]) { _ = try metadata.bool("llama.block_count") }
    expectError(.malformed, ["is 2", "a string"]) { _ = try metadata.string("llama.block_count") }
    expectError(.malformed, ["array of integers"]) {
      _ = try metadata.integers("tokenizer.ggml.scores")
    }
    expectError(.malformed, ["array of floats"]) {
      _ = try metadata.floats("tokenizer.ggml.tokens")
    }
    expectError(.malformed, ["array of strings"]) {
      _ = try metadata.strings("tokenizer.ggml.scores")
    }
    let bytes = model(with: "text", .string([0x61, 0xc3]))
    expectError(.malformed, ["'a\\xc3'", "UTF-8"]) {
      _ = try openModel(bytes: bytes).metadata.string("text")
    }
  }

  @Test("JSON: repaired text, shortest digits, null for what is not finite")
  func json() throws {
    var writer = GGUFWriter()
    writer.add("a\"b", .string([0x61, 0xff, 0x62, 0xe2, 0x96, 0x0a, 0x01]))
    writer.add("f", .floats([0.1, 1e-5, .nan, .infinity, -0.0, 3]))
    writer.add("d", .float64(0.1))
    writer.add("many", .array(.uint8, (0..<65).map { .uint8($0) }))
    writer.addTensor("x", [2], floats: [1, 2])
    writer.addTensor("y", .q8_0, [32], bytes: [UInt8](repeating: 0, count: 34))
    writer.addTensor("z", [1], floats: [1])
    let file = try openModel(bytes: writer.bytes())
    func text(_ key: String?) throws -> String? { try metadataJSON(key, of: file) }
    try #expect(text("absent") == nil)
    try #expect(text("a\"b") == "\"a\u{fffd}b\u{fffd}\\n\\u0001\"")
    try #expect(text("f") == "[0.1, 1e-05, null, null, -0.0, 3.0]")
    try #expect(text("many")?.hasPrefix("[0, 1, 2") == true)
    try #expect(
      text(nil) == """
        {"a\\"b": "a\u{fffd}b\u{fffd}\\n\\u0001", "f": [0.1, 1e-05, null, null, -0.0, 3.0], \
        "d": 0.1, "many": {"type": "uint8", "count": 65}, \
        "tensors": {"F32": {"count": 2, "bytes": 12}, "Q8_0": {"count": 1, "bytes": 34}}}
        """)
  }

  @Test("JSON: a key of the file named like the library's own member is read by its name alone")
  func jsonOfItsOwnMember() throws {
    var writer = GGUFWriter()
    writer.add("tensors", .text("mine"))
    writer.add("a", .uint8(1))
    writer.addTensor("x", [1], floats: [1])
    let file = try openModel(bytes: writer.bytes())
    try #expect(metadataJSON("tensors", of: file) == "\"mine\"")
    let all = try metadataJSON(nil, of: file)
    #expect(all == #"{"a": 1, "tensors": {"F32": {"count": 1, "bytes": 4}}}"#)
  }

  @Test("JSON: a long text is repaired as the whole of it would be, wherever it is cut")
  func jsonOfLongText() throws {
    var random = SeededGenerator(seed: 7)
    let parts: [[UInt8]] = [
      [0x61], [0xc3, 0xa9], [0xe2, 0x96, 0x81], [0xf0, 0x9f, 0xa6, 0x99], [0xe2, 0x96], [0x80],
      [0xff], [0xf0, 0x9f], [0xed, 0xa0, 0x80], [0x80, 0x80, 0x80, 0x80, 0x80],
    ]
    for _ in 0..<40 {
      var bytes: [UInt8] = []
      while bytes.count < 13_000 { bytes += parts.randomElement(using: &random) ?? [] }
      let file = try openModel(bytes: model(with: "text", .string(bytes)))
      try #expect(metadataJSON("text", of: file) == "\"\(String(decoding: bytes, as: UTF8.self))\"")
    }
  }

  @Test("G68 keys in another order are the same model")
  func keyOrder() throws {
    var writer = tinyModel()
    writer.keys.reverse()
    let file = try openModel(bytes: writer.bytes())
    #expect(try file.metadata.unsigned("llama.block_count", in: 0...9) == 2)
    #expect(file.metadata.keys.first == "flags")
  }

  @Test("G61 bytes after the last tensor are no error")
  func trailingBytes() throws {
    for count in [1, 31, 32, 5_000] {
      let bytes = tinyModel().bytes() + [UInt8](repeating: 0xaa, count: count)
      #expect(try openModel(bytes: bytes).tensors.count == 3)
    }
  }

  @Test("G66 65,536 keys are read, one more is refused")
  func manyKeys() throws {
    var writer = GGUFWriter()
    for i in 0..<65_536 { writer.add(String(i, radix: 36), .uint8(UInt8(truncatingIfNeeded: i))) }
    writer.addTensor("x", [1], floats: [1])
    let metadata = try openModel(bytes: writer.bytes()).metadata
    #expect(metadata.keys.count == 65_536)
    #expect(try metadata.unsigned(String(65_535, radix: 36), in: 0...255) == 255)
    writer.add("one more", .uint8(0))
    expectRefusal(writer.bytes(), .limitExceeded, "key count is 65537", "0..65536")
  }

  @Test("G67 65,536 tensors of long equal prefixes are read, one more is refused")
  func manyTensors() throws {
    var writer = GGUFWriter()
    writer.alignment = 8
    writer.add("general.alignment", .uint32(8))
    let prefix = String(repeating: "x", count: 58)
    for i in 0..<65_536 { writer.addTensor(prefix + String(100_000 + i), [1], floats: [Float(i)]) }
    let file = try openModel(bytes: writer.bytes())
    #expect(file.tensors.count == 65_536)
    #expect(file.tensor(prefix + "165535")?.name.utf8.count == 64)
    writer.addTensor("one more", [1], floats: [0])
    expectRefusal(writer.bytes(), .limitExceeded, "tensor count is 65537", "1..65536")
  }

  @Test("names that Unicode calls equal are two when their bytes differ")
  func canonicallyEqualNames() throws {
    var writer = tinyModel()
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
    for (i, name) in [composed, decomposed].enumerated() {
      writer.add(name, .uint8(UInt8(i)))
      writer.addTensor(name, [1], floats: [Float(i)])
    }
    let file = try openModel(bytes: writer.bytes())
    #expect(try file.metadata.unsigned(composed, in: 0...1) == 0)
    #expect(try file.metadata.unsigned(decomposed, in: 0...1) == 1)
    #expect(file.tensor(composed)?.name.utf8.count == 5)
    #expect(file.tensor(decomposed)?.name.utf8.count == 6)
    #expect(!file.metadata.contains("cafe"))
    #expect(file.tensor("cafe") == nil)
  }

  @Test("a vocabulary of 131,072 strings is read whole")
  func vocabulary() throws {
    var writer = tinyModel()
    let pieces = (0..<131_072).map { "▁token\($0)" }
    writer.add("tokens", .texts(pieces))
    let metadata = try openModel(bytes: writer.bytes()).metadata
    let array = try #require(try metadata.strings("tokens"))
    #expect(array.count == 131_072)
    for i in [0, 1, 99_999, 131_071] { #expect(Array(array.bytes(i)) == Array(pieces[i].utf8)) }
  }
}
