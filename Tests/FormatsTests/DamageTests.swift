// A good file damaged in every way that is cheap: whatever comes back is a model or a typed error,
// and the process lives. The kinds that damage may lead to are few.

import Base
import Support
import Testing

@Suite struct Damage {
  /// Opens the bytes and, when they are a model, uses all of it; whether they were one.
  private func exercise(_ bytes: [UInt8], at path: String) throws -> Bool {
    try writeFile(bytes, to: path)
    do {
      let file = try openModel(path)
      for tensor in file.tensors { _ = try contents(of: tensor.name, in: file) }
      for key in file.metadata.keys {
        try #expect(metadataJSON(key, of: file) != nil)
        _ = try? file.metadata.unsigned(key, in: 0...7)
        _ = try? file.metadata.string(key)
        _ = try? file.metadata.floats(key)?.float(0)
        _ = try? file.metadata.strings(key)?.bytes(1)
      }
      try #expect(metadataJSON(nil, of: file) != nil)
      return true
    } catch let error as EngineError {
      let kinds: [EngineError.Kind] = [.malformed, .unsupported, .limitExceeded]
      #expect(kinds.contains(error.kind), "\(error)")
      expectWellMade(error.message)
      return false
    }
  }

  @Test("G58 truncated at every byte")
  func truncation() throws {
    let bytes = tinyModel().bytes()
    // The last tensor ends before the padding does.
    let needed = bytes.count - 16
    try withTemporaryDirectory { directory in
      for count in 0...bytes.count {
        let accepted = try exercise(Array(bytes.prefix(count)), at: "\(directory)/model.gguf")
        #expect(accepted == (count >= needed), "\(count) bytes")
      }
    }
  }

  @Test("G59 every header byte set to 00, 01, 7f, 80, ff, and every bit of it flipped")
  func bytes() throws {
    let original = tinyModel().bytes()
    let header = tinyModel().headerBytes().count
    try withTemporaryDirectory { directory in
      for i in 0..<header {
        let replacements = [0, 1, 0x7f, 0x80, 0xff] + (0..<8).map { original[i] ^ (1 << $0) }
        for byte in replacements as [UInt8] where byte != original[i] {
          var bytes = original
          bytes[i] = byte
          _ = try exercise(bytes, at: "\(directory)/model.gguf")
        }
      }
    }
  }

  @Test("G60 random damage: bytes, integers of interest, cuts, repeats")
  func random() throws {
    var random = SeededGenerator(seed: 0x6775_6666)
    let original = tinyModel().bytes()
    let header = tinyModel().headerBytes().count
    let edges: [UInt64] = [
      0, 1, 7, 8, 9, 32, 255, 65_536, 1 << 31, 1 << 32, 1 << 61, 1 << 63, .max,
    ]
    try withTemporaryDirectory { directory in
      for _ in 0..<8_000 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let i = Int.random(in: 0..<min(header, bytes.count), using: &random)
          let rest = bytes.count - i
          switch Int.random(in: 0..<5, using: &random) {
          case 0: bytes[i] = UInt8.random(in: 0...255, using: &random)
          case 1 where rest > 8:
            let edge = edges.randomElement(using: &random) ?? 0
            bytes.replaceSubrange(i..<i + 8, with: withUnsafeBytes(of: edge, Array.init))
          case 2 where rest > 4:
            let edge = UInt32(truncatingIfNeeded: edges.randomElement(using: &random) ?? 0)
            bytes.replaceSubrange(i..<i + 4, with: withUnsafeBytes(of: edge, Array.init))
          case 3 where bytes.count > 64:
            bytes.removeSubrange(i..<i + Int.random(in: 1...min(16, rest), using: &random))
          default:
            let count = Int.random(in: 1...min(40, rest), using: &random)
            bytes.insert(contentsOf: bytes[i..<i + count], at: i)
          }
        }
        _ = try exercise(bytes, at: "\(directory)/model.gguf")
      }
    }
  }
}
