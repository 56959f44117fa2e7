// Names from files in sentences.

import Base
import Support
import Testing

@Suite struct Quoting {
  @Test("names are shown; bytes that could harm a line are spelled")
  func spelling() {
    #expect(quoted("blk.0.é🦙") == "'blk.0.é🦙'")
    #expect(
      quoted("a\n\u{1b}[31m\u{202e}\u{2028}") == "'a\\x0a\\x1b[31m\\xe2\\x80\\xae\\xe2\\x80\\xa8'")
    #expect(
      quoted([0x61, 0xff, 0xe2, 0x96, 0x62, 0xed, 0xa0, 0x80])
        == "'a\\xff\\xe2\\x96b\\xed\\xa0\\x80'")
  }

  @Test("names are cut to 64 bytes")
  func cut() {
    let name = String(repeating: "x", count: 64)
    #expect(quoted(name) == "'\(name)'")
    #expect(quoted(name + "y") == "'\(name)…'")
  }

  @Test("any bytes give one short line")
  func anything() {
    var random = SeededGenerator(seed: 0x71)
    for _ in 0..<2_000 {
      let count = Int.random(in: 0...80, using: &random)
      let text = quoted((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
      #expect(text.utf8.count <= 64 * 4 + 5)
      #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f })
    }
  }
}
