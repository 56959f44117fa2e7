// Sessions: what a session says depends on its tokens alone, whatever it, its forks or its
// neighbours went through; an error leaves it as it was.
import Base
import Formats
import Kernels
import Model
import Support
import Testing

@Suite("sessions")
struct SessionTests {
  private let prompt = randomTokens(150, seed: 0x5e55)

  @Test("rewind and replay give the same bits, from every position")
  func rewind() throws {
    let model = try load(.mixture)
    let expected = try model.session().stepEvery(prompt)
    let session = try model.session()
    try session.step(prompt)
    var random = SeededGenerator(seed: 0x4e)
    for target in [0, 1, 63, 64, 65, 127, 128, 129, 149, 150] {
      try session.rewind(to: target)
      #expect(session.position == target)
      #expect(try session.allTokens() == Array(prompt[..<target]))
      // Something else first, so that the cache holds other keys and values there.
      let other = randomTokens(Int.random(in: 1...80, using: &random), seed: UInt64(target))
      try session.step(other)
      try session.rewind(to: target)
      if target == prompt.count { continue }
      #expect(try session.step(Array(prompt[target...])) == expected[149], "from \(target)")
    }
  }

  @Test("a rewind takes the logits away, unless it goes nowhere")
  func rewindLogits() throws {
    let session = try load(.dense).session()
    expectError(.invalidArgument, ["no logits"]) { _ = try session.logitBits() }
    let bits = try session.step([1, 2, 3])
    try session.rewind(to: 3)
    #expect(try session.logitBits() == bits)
    try session.rewind(to: 2)
    expectError(.invalidArgument, ["no logits"]) { _ = try session.logitBits() }
    for target in [-1, 3, Int.max, Int.min] {
      expectError(.invalidArgument, ["position is \(target)", "0..2"]) {
        try session.rewind(to: target)
      }
    }
    #expect(try session.step([3]) == bits)
  }

  @Test("forks stand where their origin stands, and go their own ways")
  func fork() throws {
    let model = try load(.mixture, Loading(threads: 2))
    for length in [0, 1, 63, 64, 65, 130] {
      let start = Array(prompt[..<length])
      let origin = try model.session()
      if length > 0 { try origin.step(start) }
      let forks = try (0..<3).map { _ in try origin.forked() }
      for fork in forks {
        #expect(fork.position == length && fork.context == origin.context)
        #expect(try fork.allTokens() == start)
        if length > 0 { #expect(try fork.logitBits() == origin.logitBits()) }
      }
      let ways = (0..<4).map { randomTokens(5 + $0 * 30, seed: UInt64(length * 10 + $0)) }
      let all = [origin] + forks
      // In turns, so that each writes to pages that others still share.
      for i in 0..<95 {
        for (session, way) in zip(all, ways) where i < way.count { try session.step([way[i]]) }
      }
      for (session, way) in zip(all, ways) {
        #expect(try session.logitBits() == model.session().step(start + way), "\(length)")
      }
    }
  }

  @Test("a fork of a fork outlives both, and rewinds by itself")
  func forkLifetimes() throws {
    let model = try load(.dense)
    var origin: Session? = try model.session()
    try origin?.step(prompt)
    var second: Session? = try #require(origin).forked()
    let third = try #require(second).forked()
    try second?.rewind(to: 70)
    try second?.step([5, 6])
    origin = nil
    #expect(try second?.logitBits() == model.session().step(Array(prompt[..<70]) + [5, 6]))
    second = nil
    #expect(try third.logitBits() == model.session().step(prompt))
    try third.rewind(to: 10)
    #expect(try third.step([7]) == model.session().step(Array(prompt[..<10]) + [7]))
  }

  @Test("the cache grows by pages of 64 positions and is given back by a rewind")
  func pages() throws {
    let model = try load(.dense)
    let page = model.size.cacheByteCountPerPosition * 64
    let session = try model.session()
    #expect(session.cacheByteCount == 0)
    for (i, token) in prompt.enumerated() {
      try session.step([token])
      #expect(session.cacheByteCount == (i / 64 + 1) * page, "position \(i + 1)")
      #expect(session.firstPosition == 0)
    }
    for target in [129, 128, 65, 64, 63, 1, 0] {
      try session.rewind(to: target)
      #expect(session.cacheByteCount == (target + 63) / 64 * page, "rewound to \(target)")
    }
  }

  @Test("a context is full when it is full, and not before")
  func contextFull() throws {
    let model = try load(.dense, Loading(batch: 4))
    let session = try model.session(context: 10)
    #expect(session.context == 10)
    expectError(.contextFull, ["11 tokens", "position 0", "10"]) {
      try session.step(Array(prompt[..<11]))
    }
    #expect(session.position == 0)
    let bits = try session.step(Array(prompt[..<9]))
    expectError(.contextFull, ["2 tokens", "position 9", "10"]) { try session.step([1, 2]) }
    #expect(try session.logitBits() == bits)
    #expect(try session.step([1]) == model.session().step(Array(prompt[..<9]) + [1]))
    expectError(.contextFull) { try session.step([1]) }
    #expect(try model.session(context: 0).context == 1000)
    for context in [-1, 16 * 1024 * 1024 + 1, Int.max] {
      expectError(.invalidArgument, ["context is \(context)"]) {
        _ = try model.session(context: context)
      }
    }
  }

  @Test("bad tokens and no tokens change nothing")
  func badTokens() throws {
    let model = try load(.dense)
    let session = try model.session()
    let bits = try session.step([1, 2])
    for (tokens, words): ([Int32], [String]) in [
      ([], ["count is 0"]), ([41], ["tokens[0] is 41", "0..40"]),
      ([3, 4, -1], ["tokens[2] is -1"]), ([3, .max], ["tokens[1]"]), ([.min], ["tokens[0]"]),
    ] {
      expectError(.invalidArgument, words) { try session.step(tokens) }
      #expect(session.position == 2)
      #expect(try session.logitBits() == bits)
    }
  }

  @Test("in one step a bad session gets its error and the others get their bits")
  func errorsAmongOthers() throws {
    let model = try load(.mixture, Loading(threads: 2, batch: 16))
    let sessions = try [1000, 5, 1000, 1000].map { try model.session(context: $0) }
    let tokens = [Array(prompt[..<40]), Array(prompt[..<6]), [1, 99], Array(prompt[50..<60])]
    let errors = model.step(sessions, tokens)
    #expect(errors.map { $0?.kind } == [nil, .contextFull, .invalidArgument, nil])
    #expect(try sessions[0].logitBits() == model.session().step(tokens[0]))
    #expect(try sessions[3].logitBits() == model.session().step(tokens[3]))
    #expect(sessions[1].position == 0 && sessions[2].position == 0)
  }

  @Test("a cancelled step leaves the session as it was")
  func cancel() throws {
    let model = try load(.dense, Loading(batch: 16))
    let session = try model.session()
    let bits = try session.step(Array(prompt[..<20]))
    try session.begin()
    #expect(throws: EngineError.self) { try session.begin() }
    session.cancel()
    let error = session.stepAsBegun(Array(prompt[20...]))
    session.exclusiveUse.end()
    #expect(error?.kind == .cancelled)
    #expect(session.position == 20)
    #expect(try session.logitBits() == bits)
    // The next call is not cancelled: `begin` forgets.
    #expect(try session.step(Array(prompt[20...])) == model.session().step(prompt))
  }

  @Test("one cancelled session does not keep the others of its step")
  func cancelAmongOthers() throws {
    let model = try load(.mixture, Loading(batch: 24))
    let sessions = try (0..<3).map { _ in try model.session() }
    for session in sessions { try session.begin() }
    sessions[1].cancel()
    let tokens = (0..<3).map { randomTokens(30, seed: UInt64($0)) }
    let errors = model.step(sessions, tokens)
    for session in sessions { session.exclusiveUse.end() }
    #expect(errors.map { $0?.kind } == [nil, .cancelled, nil])
    for i in [0, 2] { #expect(try sessions[i].logitBits() == model.session().step(tokens[i])) }
    #expect(sessions[1].position == 0)
    #expect(try sessions[1].step(tokens[1]) == model.session().step(tokens[1]))
  }

  @Test("cancelling from another thread ends a long prompt")
  func cancelFromOutside() async throws {
    let model = try load(TinyModel(context: 100_000), Loading(threads: 2, batch: 8))
    let session = try model.session()
    try session.begin()
    let canceller = Task.detached { session.cancel() }
    // Steps until the flag is seen, however late it comes; it stays until the next `begin`.
    var error: EngineError?
    while error == nil {
      error = session.stepAsBegun(Array(prompt[..<64]))
      if error == nil && session.position >= 640 { try session.rewind(to: 0) }
    }
    await canceller.value
    session.exclusiveUse.end()
    #expect(error?.kind == .cancelled)
    #expect(session.position % 64 == 0)
  }

  // MARK: Numbers that are not finite

  /// A dense model whose embedding of one token is not finite.
  private func spoiled(_ token: Int, _ value: Float) -> GGUFWriter {
    let tiny = TinyModel(experts: 0, outer: .f32)
    var tensors = tiny.tensors()
    tensors[0].rows[token] = floatBytes(Array(repeating: value, count: tiny.hidden))
    return tiny.writer(tensors)
  }

  @Test("a NaN or an infinity is numeric, and the session is as it was", arguments: [1, 2, 4])
  func notFinite(batch: Int) throws {
    for value in [Float.nan, .infinity, -.infinity] {
      for table in tables {
        let model = try load(spoiled(7, value), Loading(table: table, threads: 2, batch: batch))
        let session = try model.session()
        let good: [Int32] = [1, 2, 3]
        let bits = try session.step(good)
        for bad: [Int32] in [[7], [7, 1], [1, 7], [1, 7, 2, 3, 4]] {
          expectError(.numeric, ["not finite"]) { try session.step(bad) }
          #expect(session.position == 3)
          #expect(try session.allTokens() == good)
        }
        #expect(try session.step([4]) == model.session().step([1, 2, 3, 4]))
        try session.rewind(to: 3)
        #expect(try session.step([4]) != bits)
      }
    }
  }

  @Test("a failed step keeps the logits and the cache's size")
  func failureKeeps() throws {
    let model = try load(spoiled(7, .nan))
    let session = try model.session()
    let bits = try session.step([1, 2, 3])
    let size = session.cacheByteCount
    let long = Array(repeating: Int32(5), count: 200) + [7]
    expectError(.numeric) { try session.step(long) }
    #expect(try session.logitBits() == bits)
    #expect(session.cacheByteCount == size)
  }

  @Test("a step that fails in a later pass keeps the position and the logits of before")
  func failureInALaterPassKeeps() throws {
    let model = try load(spoiled(7, .nan), Loading(batch: 8))
    let session = try model.session()
    let bits = try session.step([1, 2, 3])
    expectError(.numeric) { try session.step(Array(repeating: 5, count: 90) + [7]) }
    #expect(session.position == 3)
    #expect(try session.logitBits() == bits)
    #expect(try session.step([4]) == model.session().step([1, 2, 3, 4]))
  }

  @Test("one session's NaN does not reach the others of its step")
  func notFiniteAmongOthers() throws {
    let model = try load(spoiled(7, .nan), Loading(threads: 2))
    let sessions = try (0..<3).map { _ in try model.session() }
    let tokens: [[Int32]] = [[1, 2, 3], [4, 7, 5], [6, 8]]
    let errors = model.step(sessions, tokens)
    #expect(errors.map { $0?.kind } == [nil, .numeric, nil])
    #expect(try sessions[0].logitBits() == model.session().step(tokens[0]))
    #expect(try sessions[2].logitBits() == model.session().step(tokens[2]))
  }

  @Test("a scale of NaN in any matrix that is used is numeric")
  func notFiniteWeights() throws {
    let tiny = TinyModel(experts: 0, types: [.q8_0], outer: .q8_0)
    for name in tiny.tensors().map(\.name) where !name.contains("norm") && name.contains("blk.1") {
      var tensors = tiny.tensors()
      let index = try #require(tensors.firstIndex { $0.name == name })
      // The d of the first block of the last row: NaN in half precision.
      let row = tensors[index].rows.count - 1
      tensors[index].rows[row][0] = 0xff
      tensors[index].rows[row][1] = 0x7e
      for table in tables {
        let session = try load(tiny.writer(tensors), Loading(table: table)).session()
        expectError(.numeric, [], "\(name), \(table.name)") { try session.step([1, 2, 3]) }
        #expect(session.position == 0)
      }
    }
  }
}
