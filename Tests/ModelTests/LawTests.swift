// The law of one arithmetic: the bits of every logit depend on the weights and the tokens, on
// nothing else.
import Kernels
import Model
import Support
import Testing

@Suite("one arithmetic")
struct LawTests {
  private let prompt = randomTokens(90, seed: 0x1a3)

  @Test("a model of the tests makes different, finite logits for different tokens")
  func alive() throws {
    for tiny in [TinyModel.mixture, .dense, .wide] {
      let model = try load(tiny)
      let rows = try model.session().stepEvery(prompt)
      #expect(rows.count == 90 && rows.allSatisfy { $0.count == 41 })
      #expect(Set(rows).count == 90)
      let last = rows[89].map { Float(bitPattern: $0) }
      #expect(last.allSatisfy { $0.isFinite && abs($0) < 1e6 })
      #expect(Set(last).count > 30)
    }
  }

  @Test("every table")
  func everyTable() throws {
    #expect(
      tables.count == 1 + (tables.contains { $0.name == "avx2" } ? 1 : 0)
        + (tables.contains { $0.name == "avxvnni" } ? 1 : 0)
        + (tables.contains { $0.name == "avx512" } ? 1 : 0))
    for tiny in [TinyModel.mixture, .dense] {
      let expected = try load(tiny, Loading(table: .reference)).session().stepEvery(prompt)
      for table in tables {
        let found = try load(tiny, Loading(table: table)).session().stepEvery(prompt)
        #expect(found == expected, "\(table.name)")
      }
    }
    let short = Array(prompt[..<20])
    let expected = try load(.wide, Loading(table: .reference)).session().stepEvery(short)
    for table in tables {
      #expect(
        try load(.wide, Loading(table: table)).session().stepEvery(short) == expected,
        "\(table.name)")
    }
  }

  @Test("any number of threads")
  func threads() throws {
    for tiny in [TinyModel.mixture, .dense, .wide] {
      let expected = try load(tiny).session().stepEvery(prompt)
      for threads in [2, 3, 7] {
        let model = try load(tiny, Loading(threads: threads))
        #expect(model.threads == threads)
        #expect(try model.session().stepEvery(prompt) == expected, "\(threads) threads")
      }
    }
  }

  @Test("any cut of a prompt into steps")
  func cuts() throws {
    for tiny in [TinyModel.mixture, .dense, .wide] {
      let model = try load(tiny, Loading(threads: 2))
      let expected = try model.session().stepEvery(prompt)
      let cuts = [[1], [2], [3, 1], [7], [8], [9, 2, 5], [63, 2], [64], [65], [89, 1]]
      for sizes in cuts {
        let session = try model.session()
        var end = 0
        for piece in cut(prompt, sizes) {
          end += piece.count
          #expect(try session.step(piece) == expected[end - 1], "\(sizes), to \(end)")
        }
        #expect(session.position == 90)
      }
    }
  }

  @Test("any size of a pass")
  func batches() throws {
    let expected = try load(.mixture).session().stepEvery(prompt)
    for batch in [1, 2, 5, 16, 17, 64, 89, 90, 91] {
      let model = try load(.mixture, Loading(threads: 2, batch: batch))
      #expect(try model.session().stepEvery(prompt) == expected, "\(batch) rows")
      #expect(try model.session().step(prompt) == expected[89], "\(batch) rows")
    }
  }

  @Test("any company in the step", arguments: [0, 24])
  func company(batch: Int) throws {
    for tiny in [TinyModel.mixture, .dense] {
      let model = try load(tiny, Loading(threads: 2, batch: batch))
      let prompts = (0..<6).map { randomTokens(1 + $0 * 17, seed: UInt64($0)) }
      let alone = try prompts.map { try model.session().step($0) }
      for count in [2, 3, 6] {
        let sessions = try (0..<count).map { _ in try model.session() }
        #expect(model.step(sessions, Array(prompts[..<count])).allSatisfy { $0 == nil })
        #expect(try sessions.map { try $0.logitBits() } == Array(alone[..<count]))
        // And once more, one token each, at different positions.
        let next = (0..<count).map { [Int32($0 + 3)] }
        #expect(model.step(sessions, next).allSatisfy { $0 == nil })
        for (i, session) in sessions.enumerated() {
          #expect(try session.logitBits() == model.session().step(prompts[i] + next[i]))
        }
      }
    }
  }

  @Test("twice in a row, and in a second model of the same file")
  func again() throws {
    let model = try load(.mixture, Loading(threads: 3))
    let expected = try model.session().step(prompt)
    for _ in 0..<5 { #expect(try model.session().step(prompt) == expected) }
    #expect(try load(.mixture).session().step(prompt) == expected)
  }

  @Test("heads of any width, kept apart or shared, and tied embeddings")
  func shapes() throws {
    let shapes = [
      TinyModel(headWidth: 2, types: [.f16, .f32]), TinyModel(headWidth: 6, types: [.bf16, .f16]),
      TinyModel(headWidth: 48),
      TinyModel(kvHeads: 4), TinyModel(kvHeads: 1), TinyModel(tied: true),
      TinyModel(hidden: 32, heads: 2, kvHeads: 1, headWidth: 128, feedForward: 32),
      TinyModel(hidden: 20, heads: 2, kvHeads: 2, feedForward: 12, types: [.f32], outer: .f16),
      TinyModel(layers: 1, experts: 7, used: 7), TinyModel(experts: 5, used: 1),
      TinyModel(vocabulary: 3),
    ]
    for (i, tiny) in shapes.enumerated() {
      let tokens = randomTokens(70, vocabulary: tiny.vocabulary, seed: UInt64(i))
      let expected = try load(tiny, Loading(table: .reference)).session().stepEvery(tokens)
      for table in tables.dropFirst() {
        let model = try load(tiny, Loading(table: table, threads: 2))
        #expect(try model.session().stepEvery(tokens) == expected, "shape \(i), \(table.name)")
        let session = try model.session()
        for piece in cut(tokens, [5, 1]) { try session.step(piece) }
        #expect(try session.logitBits() == expected[69], "shape \(i), \(table.name)")
      }
    }
  }

  @Test("two threads stepping sessions of one model get what each would get alone")
  func inParallel() async throws {
    let model = try load(.mixture, Loading(threads: 2))
    let prompts = (0..<4).map { randomTokens(40, seed: UInt64($0 + 50)) }
    let expected = try prompts.map { try model.session().step($0) }
    try await withThrowingTaskGroup(of: (Int, Bits).self) { group in
      for (i, prompt) in prompts.enumerated() {
        group.addTask {
          let session = try model.session()
          for piece in cut(prompt, [3, 8]) { try session.step(piece) }
          return (i, try session.logitBits())
        }
      }
      for try await (i, bits) in group { #expect(bits == expected[i]) }
    }
  }
}
