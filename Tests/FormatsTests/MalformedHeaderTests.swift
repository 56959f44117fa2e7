// Wrong headers and metadata, one test a case, each with its kind and the gist of its sentence.

import Base
import Formats
import Support
import Testing

@Suite struct MalformedHeader {
  private func changed(_ change: (inout GGUFWriter) -> Void) -> [UInt8] {
    var writer = tinyModel()
    change(&writer)
    return writer.bytes()
  }

  @Test("G01 G02 a file shorter than a header", arguments: 0..<24)
  func tooShort(count: Int) {
    let bytes = Array(tinyModel().bytes().prefix(count))
    expectRefusal(bytes, .malformed, "'model.gguf'", "\(count) bytes", "24")
  }

  @Test(
    "G03 G06 other files are called by their name",
    arguments: [
      ("GGML", "GGML"), ("tjgg", "ggjt"), ("ggjt", "ggjt"), ("lmgg", "GGML"), ("fmgg", "ggmf"),
      ("algg", "adapter"), ("PK\u{3}\u{4}", "ZIP"), ("\u{7f}ELF", "ELF"),
      ("<!DOCTYPE html>", "HTML"), ("<!doctype html>", "HTML"), ("<html>", "HTML"),
      ("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
      ("\u{60}\u{2}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}{\"__metadata__\"", "safetensors"),
      ("{\"a\": 1}", "JSON"), ("#!/bin/sh", "script"), ("GGUE", "47 47 55 45"),
      ("\u{0}\u{1}", "00 01 00 00"),
    ])
  func wrongMagic(start: String, name: String) {
    let bytes = Array(start.utf8) + [UInt8](repeating: 0, count: 64)
    expectRefusal(bytes, .malformed, name)
  }

  @Test("G03 pickles and archives are called by their name")
  func wrongBytes() {
    for (start, name): ([UInt8], String) in [
      ([0x80, 2], "pickle"), ([0x80, 4], "pickle"), ([0x1f, 0x8b], "gzip"),
      ([0x28, 0xb5, 0x2f, 0xfd], "Zstandard"), ([0x89, 0x48, 0x44, 0x46], "HDF5"),
    ] {
      expectRefusal(start + [UInt8](repeating: 1, count: 64), .malformed, name)
    }
  }

  @Test("G04 big-endian files")
  func bigEndian() {
    expectRefusal(changed { $0.magic = Array("FUGG".utf8) }, .unsupported, "big-endian")
    for version: UInt32 in [2, 3] {
      expectRefusal(changed { $0.version = version.byteSwapped }, .unsupported, "big-endian")
    }
  }

  @Test("G05 other versions", arguments: [0, 1, 4, .max] as [UInt32])
  func versions(version: UInt32) {
    expectRefusal(
      changed { $0.version = version }, .unsupported, "version is \(version)", "allowed is 2..3")
  }

  @Test("G07 G09 tensor counts")
  func tensorCounts() {
    expectRefusal(changed { $0.tensors = [] }, .malformed, "tensor count is 0")
    for count: UInt64 in [65_537, 1 << 31, 1 << 63, .max, .max / 33 + 1] {
      expectRefusal(
        changed { $0.claimedTensorCount = count }, .malformed, "tensor count is \(count)", "33",
        "bytes are left", "at byte 24")
    }
  }

  @Test("G08 G09 key counts")
  func keyCounts() {
    for count: UInt64 in [65_537, 1 << 31, 1 << 63, .max, .max / 14 + 1] {
      expectRefusal(
        changed { $0.claimedKeyCount = count }, .malformed, "key count is \(count)", "14",
        "bytes are left")
    }
  }

  @Test("G10 key lengths", arguments: [0, 65_536, 1 << 40, .max] as [UInt64])
  func keyLengths(length: UInt64) {
    var bytes = tinyModel().bytes()
    bytes.replaceSubrange(24..<32, with: withUnsafeBytes(of: length, Array.init))
    expectRefusal(bytes, .malformed, "length of key 0 is \(length)", "1..65535", "at byte 32")
  }

  @Test("G10 a key that ends beyond the file, and the longest key")
  func longKeys() throws {
    var bytes = tinyModel().bytes()
    bytes.replaceSubrange(24..<32, with: withUnsafeBytes(of: UInt64(65_535), Array.init))
    expectRefusal(bytes, .malformed, "truncated", "key 0 needs 65535 bytes")
    let key = String(repeating: "k", count: 65_535)
    #expect(try openModel(bytes: model(with: key, .uint8(1))).metadata.contains(key))
  }

  @Test("G11 keys with NUL or bytes that are not UTF-8; upper case is accepted")
  func keyBytes() throws {
    let nul = changed { $0.keys.append((Array("a\u{0}b".utf8), .uint8(0))) }
    expectRefusal(nul, .malformed, "key 8 has a NUL byte", "'a\\x00b'")
    let invalid = changed { $0.keys.append(([0x61, 0xff], .uint8(0))) }
    expectRefusal(invalid, .malformed, "key 8 is not UTF-8", "'a\\xff'")
    #expect(try openModel(bytes: model(with: "UPPER é", .uint8(1))).metadata.contains("UPPER é"))
  }

  @Test("keys that differ in bytes are two, though Unicode calls them equivalent")
  func equivalentKeys() throws {
    let bytes = changed {
      $0.add("caf\u{e9}", .uint8(1))
      $0.add("cafe\u{301}", .uint8(2))
    }
    let metadata = try openModel(bytes: bytes).metadata
    #expect(try metadata.unsigned("caf\u{e9}", in: 0...9) == 1)
    #expect(try metadata.unsigned("cafe\u{301}", in: 0...9) == 2)
  }

  @Test("G12 value types", arguments: [13, 255, 1 << 31, .max] as [UInt32])
  func valueTypes(type: UInt32) {
    let bytes = model(with: "k", .raw(type: type, [0]))
    expectRefusal(bytes, .malformed, "value type of key 'k' is \(type)", "0..12")
    var builder = ByteBuilder()
    builder.integer(type)
    builder.integer(UInt64(0))
    let array = model(with: "k", .raw(type: 9, builder.bytes))
    expectRefusal(array, .malformed, "element type of key 'k' is \(type)", "0..12")
  }

  @Test("G13 truth values", arguments: [2, 255] as [UInt8])
  func truths(byte: UInt8) {
    expectRefusal(
      model(with: "k", .raw(type: 7, [byte])), .malformed, "'k' is a bool of value \(byte)")
    expectRefusal(
      model(with: "k", .array(.bool, [.bool(true), .raw(type: 7, [byte])])), .malformed,
      "element 1 of key 'k' is a bool of value \(byte)")
  }

  @Test("G14 string lengths")
  func stringLengths() throws {
    for length: UInt64 in [.max, 1 << 63, 100_000] {
      let bytes = model(with: "k", .raw(type: 8, withUnsafeBytes(of: length, Array.init)))
      expectRefusal(
        bytes, .malformed, "length of the value of key 'k' is \(length)", "bytes are left")
    }
    let limit = 16 << 20
    let longest = model(with: "k", .string([UInt8](repeating: 97, count: limit)))
    #expect(try openModel(bytes: longest).metadata.string("k")?.utf8.count == limit)
    let longer = model(with: "k", .string([UInt8](repeating: 97, count: limit + 1)))
    expectRefusal(longer, .limitExceeded, "is \(limit + 1)", "0..\(limit)")
  }

  @Test("G15 arrays of arrays, once and 10,000 deep", arguments: [1, 10_000])
  func nestedArrays(depth: Int) {
    var builder = ByteBuilder()
    for _ in 0..<depth {
      builder.integer(UInt32(9))
      builder.integer(UInt64(1))
    }
    expectRefusal(
      model(with: "k", .raw(type: 9, builder.bytes)), .unsupported, "'k' is an array of arrays")
  }

  @Test("G16 array counts", arguments: [.max, (1 << 61) + 1, 1 << 40] as [UInt64])
  func arrayCounts(count: UInt64) {
    for type: UInt32 in [0, 4, 8, 10] {
      var builder = ByteBuilder()
      builder.integer(type)
      builder.integer(count)
      expectRefusal(
        model(with: "k", .raw(type: 9, builder.bytes)), .malformed, "'k' counts \(count) elements",
        "bytes are left")
    }
  }

  @Test("the longest array, and one element more")
  func longArrays() throws {
    let limit = 16 << 20
    func array(_ count: Int) -> [UInt8] {
      var builder = ByteBuilder()
      builder.integer(UInt32(0))
      builder.integer(UInt64(count))
      builder.bytes += [UInt8](repeating: 3, count: count)
      return model(with: "k", .raw(type: 9, builder.bytes))
    }
    let longest = try openModel(bytes: array(limit)).metadata.integers("k")
    #expect(longest?.count == limit && longest?.integer(limit - 1) == 3)
    expectRefusal(array(limit + 1), .limitExceeded, "counts \(limit + 1)", "\(limit)")
  }

  @Test("G17 an element whose length is beyond the end")
  func stringElements() {
    let long = GGUFWriter.Value.raw(type: 8, withUnsafeBytes(of: UInt64(1 << 40), Array.init))
    let texts = Array(repeating: GGUFWriter.Value.text("a"), count: 4)
    expectRefusal(
      model(with: "k", .array(.string, texts + [long])), .malformed, "element 4 of key 'k'",
      "\(1 << 40)")
  }

  @Test("G18 a key twice", arguments: [2, 3] as [UInt32])
  func duplicateKeys(value: UInt32) {
    expectRefusal(
      model(with: "llama.block_count", .uint32(value)), .malformed,
      "key 'llama.block_count' appears twice")
  }

  @Test("G23 alignments", arguments: [0, 3, 6, 24, 65_537, 131_072, 1 << 31] as [UInt32])
  func alignments(alignment: UInt32) {
    expectRefusal(
      changed { $0.keys[1].value = .uint32(alignment) }, .malformed,
      "'general.alignment' is \(alignment)", "1..65536")
  }

  @Test("G23 alignments of another type")
  func alignmentTypes() {
    let values: [GGUFWriter.Value] = [
      .text("32"), .float32(32), .bool(true), .array(.uint32, [.uint32(32)]), .int32(-32),
    ]
    for value in values {
      expectRefusal(
        changed { $0.keys[1].value = value }, .malformed, "'general.alignment' is", "1..65536")
    }
  }

  @Test("G24 an alignment that puts the data beyond the end")
  func alignmentBeyondEnd() {
    expectRefusal(
      changed { $0.keys[1].value = .uint32(65_536) }, .malformed, "data starts at byte 65536")
  }
}
