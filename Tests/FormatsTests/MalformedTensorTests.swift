// Wrong tensor records, one test a case, each with its kind and the gist of its sentence.

import Base
import Formats
import Support
import Testing

@Suite struct MalformedTensor {
  /// The little model with its first tensor changed.
  private func changed(_ change: (inout GGUFWriter.Tensor) -> Void) -> [UInt8] {
    var writer = tinyModel()
    change(&writer.tensors[0])
    return writer.bytes()
  }

  @Test("G25 dimension counts", arguments: [0, 5, .max] as [UInt32])
  func dimensionCounts(count: UInt32) {
    var bytes = tinyModel().bytes()
    let record = tinyModel().headerBytes().firstRange(of: "output_norm.weight".utf8)
    guard let end = record?.upperBound else {
      Issue.record("no record")
      return
    }
    bytes.replaceSubrange(end..<end + 4, with: withUnsafeBytes(of: count, Array.init))
    expectRefusal(bytes, .malformed, "'output_norm.weight' has \(count) dimensions", "1..4")
  }

  @Test("G25 one to four dimensions are read", arguments: 1...4)
  func dimensions(count: Int) throws {
    var sizes = [UInt64](repeating: 1, count: count)
    sizes[0] = 3
    let file = try openModel(bytes: changed { $0.dimensions = sizes })
    #expect(file.tensors[0].dimensions.count == count)
  }

  @Test("G26 sizes", arguments: [0, .max, 1 << 63, (1 << 40) + 1] as [UInt64])
  func sizes(size: UInt64) {
    expectRefusal(
      changed { $0.dimensions = [3, size] }, .malformed, "dimension 1", "is \(size)",
      "1..\(1 << 40)")
  }

  @Test("the largest size is bounded by the file alone")
  func largestSize() {
    expectRefusal(
      changed { $0.dimensions = [1 << 40] }, .malformed, "needs \(4 << 40) bytes at offset 0")
  }

  @Test("G27 G28 products of sizes")
  func products() {
    for sizes: [UInt64] in [
      [1 << 32, 1 << 32, 1], [1 << 40, 1 << 40, 1 << 40, 1 << 40], [1 << 40, 1 << 22],
      [1 << 24, (1 << 24) + 1],
    ] {
      expectRefusal(changed { $0.dimensions = sizes }, .malformed, "element count", "overflows")
    }
    // At the ceiling the product is fine and the bytes are not there.
    expectRefusal(
      changed { $0.dimensions = [1 << 24, 1 << 24] }, .malformed, "needs \(1 << 50) bytes")
  }

  @Test("G29 G34 tensors beyond the end")
  func beyondEnd() {
    expectRefusal(
      changed { $0.dimensions = [1_000] }, .malformed, "'output_norm.weight' needs 4000 bytes",
      "the data has 160 bytes")
    for offset: UInt64 in [160, 1 << 62, 0 &- 32, 0 &- 4096] {
      expectRefusal(
        changed { $0.claimedOffset = offset }, .malformed, "needs 12 bytes at offset \(offset)")
    }
  }

  @Test("G30 rows that are not whole blocks")
  func rows() {
    for (type, needed): (TensorType, Int) in [(.q4_K, 256), (.q8_0, 32), (.nvfp4, 64)] {
      let bytes = changed {
        $0.type = type.rawValue
        $0.dimensions = [100, 32]
      }
      expectRefusal(
        bytes, .malformed, "dimension 0", "is 100",
        "type \(type.name) needs a multiple of \(needed)")
    }
  }

  @Test("G31 G32 types that are unknown or removed")
  func types() {
    for type: UInt32 in [43, 139, 255, 1 << 31, .max] {
      expectRefusal(
        changed { $0.type = type }, .unsupported, "'output_norm.weight' has type id \(type)")
    }
    for (type, name): (UInt32, String) in [
      (4, "Q4_2"), (5, "Q4_3"), (31, "Q4_0_4_4"), (36, "IQ4_NL_4_4"), (38, "IQ4_NL_8_8"),
    ] {
      expectRefusal(
        changed { $0.type = type }, .unsupported, "type id \(type)", "\(name) (removed)")
    }
  }

  @Test("G33 offsets that are not aligned", arguments: [1, 16, 33] as [UInt64])
  func alignment(offset: UInt64) {
    expectRefusal(
      changed { $0.claimedOffset = offset }, .malformed, "offset", "is \(offset)", "multiple of 32")
  }

  @Test("G33 gaps and another order are read")
  func gaps() throws {
    var writer = tinyModel()
    // The first tensor now claims the place after the last, which trailing bytes fill.
    writer.tensors[0].claimedOffset = 192
    let bytes = writer.bytes() + [UInt8](repeating: 0, count: 32) + [UInt8](1...32)
    let file = try openModel(bytes: bytes)
    #expect(try contents(of: "output_norm.weight", in: file) == Array(1...12))
    #expect(try contents(of: "blk.0.attn_q.weight", in: file) == Array(0..<68))
  }

  @Test("G35 tensors that overlap")
  func overlap() {
    for offset: UInt64 in [32, 64, 96] {
      expectRefusal(
        changed { $0.claimedOffset = offset }, .malformed, "'output_norm.weight'",
        "'blk.0.attn_q.weight'", "overlap")
    }
    var writer = tinyModel()
    writer.tensors[2].claimedOffset = 0
    expectRefusal(writer.bytes(), .malformed, "'blk.0.ffn_gate_exps.weight'", "overlap")
  }

  @Test("G36 names")
  func names() throws {
    expectRefusal(
      changed { $0.name = Array("blk.0.attn_q.weight".utf8) }, .malformed,
      "tensor 'blk.0.attn_q.weight' appears twice")
    expectRefusal(changed { $0.name = [] }, .malformed, "tensor 0 has 0 bytes", "1..64")
    let long = [UInt8](repeating: 97, count: 65)
    expectRefusal(changed { $0.name = long }, .malformed, "tensor 0 has 65 bytes", "1..64")
    #expect(try openModel(bytes: changed { $0.name = long.dropLast() }).tensors.count == 3)
    expectRefusal(changed { $0.name = [97, 0, 98] }, .malformed, "NUL", "'a\\x00b'")
    expectRefusal(changed { $0.name = [97, 0xc0] }, .malformed, "not UTF-8", "'a\\xc0'")
  }

  @Test("G37 an unknown tensor is no error")
  func unknownTensor() throws {
    let file = try openModel(bytes: changed { $0.name = Array("what.is.this".utf8) })
    #expect(file.tensor("what.is.this") != nil)
  }

  @Test("G64 G65 the weights themselves are not looked at")
  func weights() throws {
    for byte: UInt8 in [0, 0xff] {
      var writer = tinyModel()
      for i in writer.tensors.indices {
        writer.tensors[i].bytes = writer.tensors[i].bytes.map { _ in byte }
      }
      #expect(try openModel(bytes: writer.bytes()).tensors.count == 3)
    }
  }
}
