// Mixtures of experts: the order of the experts and the layout of the file do not matter, types may
// be mixed, and a mixture of equal experts is the dense model.
import Formats
import Kernels
import Model
import Support
import Testing

@Suite("mixtures")
struct MixtureTests {
  private let prompt = randomTokens(60, seed: 0x3e)

  /// The tensors with the experts of every layer in another order, with their router rows.
  private func permuted(_ tiny: TinyModel, _ order: [Int]) -> [TinyTensor] {
    tiny.tensors().map { tensor in
      var tensor = tensor
      let isRouter = tensor.name.hasSuffix("ffn_gate_inp.weight")
      guard isRouter || tensor.dimensions.count == 3 else { return tensor }
      let size = tensor.rows.count / order.count
      let rows = tensor.rows
      tensor.rows = order.flatMap { rows[$0 * size..<($0 + 1) * size] }
      return tensor
    }
  }

  @Test(
    "experts in another order, with their router rows, change nothing",
    arguments: [[3, 2, 1, 0], [1, 0, 3, 2], [2, 0, 3, 1]])
  func permutation(order: [Int]) throws {
    let tiny = TinyModel.mixture
    let expected = try load(tiny).session().stepEvery(prompt)
    for table in tables {
      let model = try load(
        tiny.writer(permuted(tiny, order)), Loading(table: table, threads: 2))
      #expect(try model.session().stepEvery(prompt) == expected, "\(table.name)")
    }
  }

  @Test("all experts are used by some token, and the router's choice matters")
  func everyExpert() throws {
    let tiny = TinyModel.mixture
    let expected = try load(tiny).session().stepEvery(prompt)
    for expert in 0..<4 {
      var tensors = tiny.tensors()
      let name = "blk.0.ffn_down_exps.weight"
      let index = try #require(tensors.firstIndex { $0.name == name })
      let size = tensors[index].rows.count / 4
      for row in expert * size..<(expert + 1) * size {
        for i in tensors[index].rows[row].indices { tensors[index].rows[row][i] = 0 }
      }
      #expect(try load(tiny.writer(tensors)).session().stepEvery(prompt) != expected, "\(expert)")
    }
  }

  @Test("one tensor an expert, as in older files, is the same model")
  func layouts() throws {
    for var tiny in [TinyModel.mixture, .wide] {
      let expected = try load(tiny).session().stepEvery(prompt)
      tiny.merged = false
      for table in tables {
        let model = try load(tiny, Loading(table: table, threads: 2))
        #expect(try model.session().stepEvery(Array(prompt[..<12])) == Array(expected[..<12]))
        #expect(model.size.unusedTensors == 0)
      }
    }
  }

  @Test("experts of one role may be of different types when they are tensors of their own")
  func typesWithinARole() throws {
    var tiny = TinyModel(layers: 1, types: [.q8_0])
    tiny.merged = false
    var writer = tiny.writer()
    var random = SeededGenerator(seed: 0x99)
    for (expert, type) in [TensorType.q4_0, .f32, .q5_1, .q8_0].enumerated() {
      for (role, columns, rows) in [("gate", 64, 96), ("down", 96, 64)] {
        let name = "blk.0.ffn_\(role).\(expert).weight"
        writer.removeTensor(name)
        let bytes = (0..<rows).flatMap { _ in
          BlockSample.random(scale: 0.01).row(type, columns: columns, using: &random)
        }
        writer.addTensor(name, type, [columns, rows], bytes: bytes)
      }
    }
    let expected = try load(writer, Loading(table: .reference)).session().stepEvery(prompt)
    for table in tables {
      for threads in [1, 3] {
        let model = try load(writer, Loading(table: table, threads: threads))
        let session = try model.session()
        var end = 0
        for piece in cut(prompt, [1, 6, 20]) {
          end += piece.count
          #expect(try session.step(piece) == expected[end - 1], "\(table.name), to \(end)")
        }
      }
    }
  }

  @Test(
    "every type of tensor in every role",
    arguments: [
      TensorType.f32, .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K,
      .q6_K,
    ])
  func everyType(type: TensorType) throws {
    let tiny = TinyModel(
      layers: 1, hidden: 256, feedForward: 256, experts: 2, used: 1, types: [type], outer: type)
    let tokens = Array(prompt[..<9])
    let expected = try load(tiny, Loading(table: .reference)).session().stepEvery(tokens)
    #expect(Set(expected).count > 5)
    for table in tables.dropFirst() {
      let model = try load(tiny, Loading(table: table, threads: 2))
      let session = try model.session()
      #expect(try session.step(Array(tokens[..<8])) == expected[7], "\(table.name)")
      #expect(try session.step([tokens[8]]) == expected[8], "\(table.name)")
    }
  }

  @Test("equal experts are one dense layer, up to the rounding of weights that sum to 1")
  func equalExperts() throws {
    let tiny = TinyModel(layers: 1)
    let mixture = tiny.tensors().map { tensor -> TinyTensor in
      var tensor = tensor
      guard tensor.dimensions.count == 3 else { return tensor }
      let first = tensor.rows[..<(tensor.rows.count / 4)]
      tensor.rows = (0..<4).flatMap { _ in first }
      return tensor
    }
    var dense = TinyModel(layers: 1)
    dense.experts = 0
    let single = mixture.compactMap { tensor -> TinyTensor? in
      if tensor.name.hasSuffix("ffn_gate_inp.weight") { return nil }
      guard tensor.dimensions.count == 3 else { return tensor }
      return TinyTensor(
        name: String(tensor.name.split(separator: "_exps")[0]) + ".weight", type: tensor.type,
        dimensions: Array(tensor.dimensions.prefix(2)),
        rows: Array(tensor.rows[..<(tensor.rows.count / 4)]))
    }
    let one = try load(dense.writer(single)).session().stepEvery(prompt)
    let many = try load(tiny.writer(mixture)).session().stepEvery(prompt)
    for (a, b) in zip(one.joined(), many.joined()) {
      let (x, y) = (Float(bitPattern: a), Float(bitPattern: b))
      // A code of an activation may fall to its neighbour: a 127th of the largest, once or twice.
      #expect(abs(x - y) <= 0.02 * max(1, abs(x)))
    }
  }

  @Test("the caller's number of experts a token counts")
  func expertsUsed() throws {
    let file = try load(TinyModel(used: 3)).session().step(prompt)
    let asked = try load(TinyModel(used: 2), Loading(used: 3))
    #expect(asked.shape.expertsPerToken == 3)
    #expect(try asked.session().step(prompt) == file)
    expectError(.invalidArgument, ["experts_used", "5", "4"]) {
      _ = try load(TinyModel.mixture, Loading(used: 5))
    }
    expectError(.invalidArgument, ["experts_used", "dense"]) {
      _ = try load(TinyModel.dense, Loading(used: 1))
    }
  }
}
