// Sliding windows: a cache that moves on is as good as a fresh prefill, and stays small.
import Base
import Kernels
import Model
import Support
import Testing

@Suite("sliding windows")
struct WindowTests {
  private let prompt = randomTokens(400, seed: 0x51d)

  private func tiny(_ window: Int) -> TinyModel {
    TinyModel(experts: 0, window: window, types: [.q8_0, .f16])
  }

  @Test("any cut, pass, table and number of threads", arguments: [1, 2, 17, 63, 64, 65, 100])
  func cuts(window: Int) throws {
    let expected = try load(tiny(window), Loading(batch: 400)).session().stepEvery(prompt)
    for (table, threads, batch, sizes) in [
      (tables[0], 2, 64, [200, 1]), (quickest, 1, 1, [400]), (quickest, 2, 7, [13, 1, 90]),
      (quickest, 3, 64, [1]), (quickest, 1, 100, [64]), (quickest, 2, 512, [65, 63]),
    ] {
      let model = try load(
        tiny(window), Loading(table: table, threads: threads, batch: batch))
      #expect(model.shape.slidingWindow == window)
      let session = try model.session()
      var end = 0
      for piece in cut(prompt, sizes) {
        end += piece.count
        #expect(try session.step(piece) == expected[end - 1], "\(table.name), \(sizes), \(end)")
      }
    }
  }

  @Test("a window as long as the prompt, or none, gives the same bits; a shorter one does not")
  func wide() throws {
    let short = Array(prompt[..<150])
    let none = try load(tiny(0)).session().stepEvery(short)
    for window: Int64 in [150, 151, 1000, 1 << 40] {
      #expect(try load(tiny(0), Loading(window: window)).session().stepEvery(short) == none)
    }
    // The file's window, switched off.
    #expect(try load(tiny(20), Loading(window: -1)).session().stepEvery(short) == none)
    // The caller's window goes before the file's.
    let asked = try load(tiny(20), Loading(window: 30)).session().stepEvery(short)
    #expect(try load(tiny(30)).session().stepEvery(short) == asked)
    for window in [1, 20, 64, 149] {
      let rows = try load(tiny(window)).session().stepEvery(short)
      #expect(Array(rows[..<window]) == Array(none[..<window]), "window \(window)")
      #expect(rows[window] != none[window], "window \(window)")
    }
  }

  /// With one layer a token's logits depend on what it sees and on nothing before; rotary angles
  /// are absolute, so the same tokens must stand at the same positions.
  @Test("one layer sees its window and nothing else")
  func oneLayer() throws {
    var one = tiny(10)
    one.layers = 1
    let model = try load(one)
    var other = prompt
    for i in 0..<50 { other[i] = (other[i] + 1) % 41 }
    let first = try model.session().stepEvery(Array(prompt[..<80]))
    let second = try model.session().stepEvery(Array(other[..<80]))
    // Position 59 is the first whose window, 50...59, holds none of the changed tokens.
    #expect(Array(first[59...]) == Array(second[59...]))
    #expect(first[58] != second[58])
  }

  @Test("the cache holds no more than window and pass, in pages", arguments: [1, 17, 64, 100])
  func bounded(window: Int) throws {
    for (batch, sizes) in [(16, [1]), (16, [90, 1]), (100, [400]), (64, [64])] {
      let model = try load(tiny(window), Loading(batch: batch))
      let page = model.size.cacheByteCountPerPosition * 64
      let session = try model.session()
      // Rounded up, a page more where the window begins inside one, and the one kept for reuse.
      let most = ((window + batch + 63) / 64 + 2) * page
      for piece in cut(prompt, sizes) {
        try session.step(piece)
        #expect(session.cacheByteCount <= most, "batch \(batch), position \(session.position)")
        #expect(session.cacheByteCount % page == 0)
        #expect(session.firstPosition <= max(0, session.position - window + 1))
        #expect(session.firstPosition > session.position - window - 64 - 64)
      }
      try session.rewind(to: 0)
      #expect(session.cacheByteCount == 0)
    }
  }

  @Test("rewinding as far as the window allows, and to the start")
  func rewind() throws {
    let window = 40
    let model = try load(tiny(window), Loading(batch: 32))
    let expected = try load(tiny(window), Loading(batch: 400)).session().stepEvery(prompt)
    let session = try model.session()
    for end in [50, 100, 200, 300, 400] {
      try session.step(Array(prompt[session.position..<end]))
      // The oldest position that the next token may stand at.
      let oldest = session.firstPosition == 0 ? 0 : session.firstPosition + window - 1
      for target in [oldest, (oldest + end) / 2, end - 1] {
        try session.rewind(to: target)
        #expect(try session.step(Array(prompt[target..<end])) == expected[end - 1], "\(target)")
      }
      if oldest > 1 {
        expectError(.invalidArgument, ["position is \(oldest - 1)", "window"]) {
          try session.rewind(to: oldest - 1)
        }
        #expect(session.position == end)
      }
    }
    try session.rewind(to: 0)
    #expect(session.firstPosition == 0)
    #expect(try session.step(prompt) == expected[399])
  }

  @Test("forks of a session whose window moves")
  func fork() throws {
    let model = try load(tiny(30), Loading(threads: 2, batch: 16))
    let origin = try model.session()
    try origin.step(Array(prompt[..<100]))
    let fork = try origin.forked()
    let (a, b) = (randomTokens(150, seed: 1), randomTokens(150, seed: 2))
    for i in 0..<150 {
      try origin.step([a[i]])
      try fork.step([b[i]])
    }
    #expect(try origin.logitBits() == model.session().step(Array(prompt[..<100]) + a))
    #expect(try fork.logitBits() == model.session().step(Array(prompt[..<100]) + b))
  }

  /// A value of the cache overflows half precision at position 5; position 15 sees 6...15 only.
  @Test("what a token does not see any more cannot make it fail")
  func overflowOutside() throws {
    var one = TinyModel(layers: 1, experts: 0, window: 10, types: [.f32], outer: .f32)
    one.vocabulary = 41
    var tensors = one.tensors()
    // Only token 7 has something in column 0, and nothing else; values multiply column 0 by 10^5.
    for row in 0..<41 {
      let values = (0..<64).map { column -> Float in
        row == 7 ? (column == 0 ? 1 : 0) : column == 0 ? 0 : Float((row * column) % 7) - 3
      }
      tensors[0].rows[row] = floatBytes(values)
    }
    let index = try #require(tensors.firstIndex { $0.name == "blk.0.attn_v.weight" })
    tensors[index].rows[0] = floatBytes((0..<64).map { $0 == 0 ? 1e5 : 0.1 })
    let writer = one.writer(tensors)
    let tokens: [Int32] = [1, 2, 3, 4, 5, 7] + (8..<18)
    for table in tables {
      for (threads, batch) in [(1, 512), (1, 7), (2, 512)] {
        let model = try load(writer, Loading(table: table, threads: threads, batch: batch))
        let session = try model.session()
        try session.step(tokens)
      }
    }
  }

  @Test("a failure after the window has moved on leaves the session at a whole pass, usable")
  func failure() throws {
    var tiny = tiny(20)
    tiny.outer = .f32
    var tensors = tiny.tensors()
    tensors[0].rows[7] = floatBytes(Array(repeating: .nan, count: tiny.hidden))
    let model = try load(tiny.writer(tensors), Loading(batch: 32))
    let tokens = prompt.map { $0 == 7 ? 8 : $0 }
    let session = try model.session()
    try session.step(Array(tokens[..<60]))
    // Three passes go well, the fourth ends with the NaN.
    expectError(.numeric) { try session.step(Array(tokens[60..<170]) + [7]) }
    #expect(session.position == 60 + 3 * 32)
    #expect(try session.allTokens() == Array(tokens[..<156]))
    expectError(.invalidArgument, ["no logits"]) { _ = try session.logitBits() }
    #expect(try session.step(Array(tokens[156...])) == model.session().step(tokens))
    // Within what the window still holds, the session is as it was.
    let bits = try session.logitBits()
    expectError(.numeric) { try session.step([1, 2, 7]) }
    #expect(session.position == 400)
    #expect(try session.logitBits() == bits)
  }

  @Test("a cancelled first pass leaves the session as it was")
  func cancelled() throws {
    let model = try load(tiny(20), Loading(batch: 32))
    let session = try model.session()
    let start = Array(prompt[..<60])
    try session.step(start)
    try session.begin()
    session.cancel()
    #expect(session.stepAsBegun(Array(prompt[60...]))?.kind == .cancelled)
    session.exclusiveUse.end()
    #expect(session.position == 60)
    #expect(try session.step(Array(prompt[60...])) == model.session().step(prompt))
  }
}
