// Laws that hold for every text: nothing is lost, streams give what wholes give, merging is O(n log
// n).
import Base
import Support
import Testing
import Text

/// Random bytes, or random characters of all planes, without U+2581, which decodes as a space.
private func randomText(_ random: inout SeededGenerator) -> [UInt8] {
  let count = Int.random(in: 0...40, using: &random)
  if Bool.random(using: &random) {
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      .replacingLowerBlocks()
  }
  var text = ""
  for _ in 0..<count {
    let limit: UInt32 = [0x7F, 0x2FF, 0xFFFF, 0x10FFFF].randomElement(using: &random) ?? 0x7F
    let value = UInt32.random(in: 0...limit, using: &random)
    text.unicodeScalars.append(Unicode.Scalar(value) ?? " ")
  }
  return Array(text.utf8).replacingLowerBlocks()
}

extension [UInt8] {
  fileprivate func replacingLowerBlocks() -> [UInt8] {
    var bytes = self
    for index in bytes.indices.dropLast(2)
    where bytes[index...].starts(with: [0xE2, 0x96, 0x81]) {
      bytes[index] = 0x78
    }
    return bytes
  }
}

@Suite("Laws of tokenizers")
struct PropertyTests {
  private func tokenizers() throws -> [Tokenizer] {
    [try demoTokenizer(), try tokenizer(at: repositoryPath(nemoShapePath))]
  }

  @Test("decoding undoes encoding, whatever the bytes")
  func roundTrip() throws {
    for tokenizer in try tokenizers() {
      var random = SeededGenerator(seed: 11)
      for _ in 0..<3000 {
        let text = randomText(&random)
        #expect(try tokenizer.bytes(try tokenizer.ids(text)) == text)
        let continued = try tokenizer.ids(text, .continuation)
        #expect(try tokenizer.bytes(continued, .continuation) == text)
      }
    }
  }

  @Test("what a user types never becomes a control token")
  func noControlTokens() throws {
    for tokenizer in try tokenizers() {
      for text in ["<s>", "</s>", "[INST]", "<unk>", "<|im_start|>", "<SPECIAL_20>", "<0x41>"] {
        let ids = try tokenizer.ids("x \(text)\(text) y")
        #expect(!ids.contains { $0 < 3 })
        #expect(try tokenizer.text(ids) == "x \(text)\(text) y")
      }
    }
  }

  @Test("a stream gives what the whole gives, at every split")
  func streaming() throws {
    for tokenizer in try tokenizers() {
      var random = SeededGenerator(seed: 12)
      for _ in 0..<400 {
        let ids = (0..<Int.random(in: 0...12, using: &random)).map { _ in
          Bool.random(using: &random)
            ? Int32.random(in: 0..<Int32(tokenizer.count), using: &random)
            : Int32.random(in: 3..<260, using: &random)
        }
        let options = Tokenizer.DecodeOptions(rawValue: UInt32.random(in: 0...3, using: &random))
        let whole = try tokenizer.bytes(ids, options)
        for split in 0...ids.count {
          var decoder = StreamingDecoder(tokenizer: tokenizer, options: options)
          var parts: [UInt8] = []
          if split > 0 { parts += try decoder.feed(Array(ids[..<split])) }
          if split < ids.count { parts += try decoder.feed(Array(ids[split...])) }
          parts += try decoder.feed([])
          #expect(parts == whole)
        }
        var decoder = StreamingDecoder(tokenizer: tokenizer, options: options)
        var parts: [UInt8] = []
        for index in ids.indices {
          parts += try decoder.feed([ids[index]])
          let soFar = try tokenizer.bytes(Array(ids[...index]), options)
          #expect(soFar.starts(with: parts) && soFar.count - parts.count <= 3)
        }
        parts += try decoder.feed([])
        #expect(parts == whole)
      }
    }
  }

  @Test("a stream of UTF-8 text never gives part of a character")
  func wholeCharacters() throws {
    for tokenizer in try tokenizers() {
      let text = "a\u{1F999}é日\u{10FFFF}\u{7FF}\u{800}\u{D7FF}\u{E000} \u{FFFF}\u{10000}"
      var decoder = StreamingDecoder(tokenizer: tokenizer, options: [])
      for id in try tokenizer.ids(text) {
        let bytes = try decoder.feed([id])
        #expect(String(validating: bytes, as: UTF8.self) != nil)
      }
      #expect(try decoder.feed([]).isEmpty)
    }
  }

  @Test("bytes that can no longer become a character are not held back")
  func hopelessBytes() throws {
    let tokenizer = try demoTokenizer()
    func given(_ bytes: [Int32]) throws -> Int {
      var decoder = StreamingDecoder(tokenizer: tokenizer, options: [])
      return try decoder.feed(bytes.map { $0 + 3 }).count
    }
    #expect(try given([0xE2, 0x96]) == 0)
    #expect(try given([0xF0, 0x9F, 0xA6]) == 0)
    #expect(try given([0xE0, 0x80]) == 2)
    #expect(try given([0xED, 0xA0]) == 2)
    #expect(try given([0xF4, 0x90]) == 2)
    #expect(try given([0xF5]) == 1)
    #expect(try given([0xC0]) == 1)
    #expect(try given([0x80]) == 1)
    #expect(try given([0xE2, 0x41]) == 2)
  }

  @Test("a copy of a decoder may be tried and thrown away; after the end it begins anew")
  func decoderIsAValue() throws {
    let tokenizer = try demoTokenizer()
    var decoder = StreamingDecoder(tokenizer: tokenizer, options: [])
    var trial = decoder
    #expect(try trial.feed([22557]) == Array("Hello".utf8))
    #expect(try decoder.feed([22557, 229]) == Array("Hello".utf8))
    #expect(throws: EngineError.self) { try decoder.feed([153, -1]) }
    #expect(try decoder.feed([153, 132]) == Array("\u{2581}".utf8))
    #expect(try decoder.feed([]).isEmpty)
    #expect(try decoder.feed([22557]) == Array("Hello".utf8))
  }

  @Test(
    "the work of merging is linear in the text",
    arguments: [
      "a", " ", "\u{1F468}\u{200D}\u{1F469}\u{200D}", "\u{301}", "ab ", "7", "\n", "日", "=a",
    ])
  func mergeWork(unit: String) throws {
    for tokenizer in try tokenizers() {
      for byteCount in [1 << 12, 1 << 15, 1 << 20] {
        let text = Array(String(repeating: unit, count: byteCount / unit.utf8.count).utf8)
        var work = MergeWork()
        let ids = try text.withUnsafeBytes { bytes throws(EngineError) in
          try tokenizer.encode(bytes, options: [], work: &work)
        }
        #expect(try tokenizer.bytes(ids) == text)
        // Windows overlap by an eighth, plus the piece at which the overlap begins. Every merge takes a
        // symbol away and looks up two pairs at most; a pair climbs the heap of a window, which is 12
        // high, once at most and sinks, with two comparisons a step, once at most.
        #expect(work.symbols <= byteCount * 5 / 4 + 1)
        #expect(work.lookups < 3 * work.symbols + 1)
        #expect(work.comparisons <= 3 * 12 * (work.lookups + 1))
      }
    }
  }
}
