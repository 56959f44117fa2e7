// Biases of attention and of dense layers: vectors that are added to the outputs of a matrix. What
// they should give is in Tests/Oracle/family; here are the laws.
import Base
import Formats
import Kernels
import Model
import Support
import Testing

private let tokens: [Int32] = [1, 5, 9, 2, 40, 17, 3, 3, 8, 30, 11, 12, 25, 6, 7, 19, 33, 21, 4, 2]

@Suite("biases")
struct BiasTests {
  /// The names of a layer that may have one, and how many outputs they have in `TinyModel`.
  private static let roles = [
    ("attn_q", 64), ("attn_k", 32), ("attn_v", 32), ("attn_output", 64), ("ffn_gate", 96),
    ("ffn_up", 96), ("ffn_down", 64),
  ]

  private func model(
    _ roles: [(String, Int)], _ tiny: TinyModel = .dense, scale: Float = 1
  ) -> GGUFWriter {
    var random = SeededGenerator(seed: 7)
    var writer = tiny.writer()
    for layer in 0..<tiny.layers {
      for (role, count) in roles {
        let values = (0..<count).map { _ in scale * Float.random(in: -1...1, using: &random) }
        writer.addTensor("blk.\(layer).\(role).bias", [count], floats: values)
      }
    }
    return writer
  }

  @Test("of zeros change no bit; others change the logits", arguments: roles)
  func zeros(role: (String, Int)) throws {
    let plain = try load(TinyModel.dense).session().stepEvery(tokens)
    #expect(try load(model([role], scale: 0)).session().stepEvery(tokens) == plain)
    #expect(try load(model([role])).session().stepEvery(tokens) != plain)
  }

  @Test("the same bits for every table, number of threads, size of a pass and cut of a prompt")
  func oneArithmetic() throws {
    let writer = model(Self.roles)
    let expected = try load(writer).session().stepEvery(tokens)
    for table in tables {
      for threads in [1, 3] {
        for batch in [0, 1, 7] {
          let loading = Loading(table: table, threads: threads, batch: batch)
          let model = try load(writer, loading)
          #expect(try model.session().stepEvery(tokens) == expected, "\(table.name) \(loading)")
          let session = try model.session()
          for token in tokens.dropLast() { try session.step([token]) }
          #expect(try session.step([tokens[tokens.count - 1]]) == expected[tokens.count - 1])
        }
      }
    }
  }

  @Test("those of attention are added in a mixture too")
  func mixture() throws {
    let plain = try load(TinyModel.mixture).session().step(tokens)
    let attention = Array(Self.roles.prefix(4))
    #expect(try load(model(attention, .mixture)).session().step(tokens) != plain)
    #expect(try load(model(attention, .mixture, scale: 0)).session().step(tokens) == plain)
  }

  @Test("of a wrong size or type are refused by name", arguments: roles)
  func wrong(role: (String, Int)) {
    let (name, count) = ("blk.1.\(role.0).bias", role.1)
    var writer = TinyModel.dense.writer()
    writer.addTensor(name, [count + 1], floats: [Float](repeating: 0, count: count + 1))
    expectError(.malformed, ["'\(name)'", "\(count)"]) { _ = try load(writer) }
    writer.removeTensor(name)
    writer.addTensor(name, .q8_0, [32], bytes: [UInt8](repeating: 0, count: 34))
    expectError(count == 32 ? .unsupported : .malformed, ["'\(name)'"]) { _ = try load(writer) }
  }
}
