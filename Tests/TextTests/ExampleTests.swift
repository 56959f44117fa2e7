// Examples by hand: what each rule of the tokenizers is for. The ids are the oracles' (see
// Tests/Oracle).
import Testing
import Text

/// A text and its ids.
struct Example: Sendable, CustomTestStringConvertible {
  let text: String
  let ids: [Int32]
  let options: UInt32

  init(_ text: String, _ ids: [Int32], _ options: Tokenizer.EncodeOptions = []) {
    self.text = text
    self.ids = ids
    self.options = options.rawValue
  }

  var testDescription: String { text.debugDescription }
}

private let space = " "

@Suite("Mistral v1, in the demo model")
struct MistralV1Examples {
  static let encoded: [Example] = [
    Example("", []),
    Example("", [1], .bos),
    Example("Hello world", [22557, 1526]),
    Example("Hello world", [1, 22557, 1526], .bos),
    Example(" Hello", [28705, 22557]),
    Example("  two  spaces ", [259, 989, 28705, 10599, 28705]),
    Example(space, [259]),
    Example(String(repeating: space, count: 14), [1417, 28705]),
    Example(String(repeating: space, count: 16), [359, 28705]),
    Example(String(repeating: space, count: 33), [359, 359, 259]),
    Example("a\(String(repeating: space, count: 16))b", [264, 1417, 28705, 287]),
    Example(
      "def f(x):\n    return x", [801, 285, 28732, 28744, 1329, 13, 2287, 604, 1318]),
    Example("\r\n", [1302, 13]),
    Example("a\0b", [264, 3, 28726]),
    Example("日本", [28705, 29142, 29119]),
    Example("😀", [28705, 30575]),
    Example("\u{1F999}", [28705, 243, 162, 169, 156]),
    Example("\u{301}x", [28705, 28949, 28744]),
    Example("\u{FB01} \u{C5}", [28705, 30160, 15744]),
    Example("<s>[INST]", [523, 28713, 28767, 28792, 16289, 28793]),
    Example("[INST] Hi [/INST]", [733, 16289, 28793, 15359, 733, 28748, 16289, 28793]),
    Example("<0x0A>", [523, 28734, 28744, 28734, 28741, 28767]),
    Example("<s>Hi</s>you</s> x", [1, 15359, 2, 368, 2, 28705, 1318], .special),
    Example("<s>Hi", [1, 15359], [.bos, .special]),
    Example("<s><s>Hi", [1, 1, 15359], [.bos, .special]),
    Example("Hi<s>", [1, 15359, 1], [.bos, .special]),
    Example("</s>Hi", [1, 2, 15359], [.bos, .special]),
    Example("<s>", [1], [.bos, .special]),
    Example("<s>Hi", [1, 523, 28713, 28767, 23809], .bos),
    Example("1234", [28705, 28740, 28750, 28770, 28781]),
    Example("xxxxxxx", [1318, 5735, 5735, 5735]),
    Example("\u{2581}", [259]),
    Example("naïve café\t!", [1879, 28920, 333, 28345, 12, 28808]),
    Example("x", [28744], .continuation),
    Example("x<s>x", [28744, 1, 1318], [.continuation, .special]),
  ]

  @Test("text to ids", arguments: encoded)
  func encode(example: Example) throws {
    let tokenizer = try demoTokenizer()
    let options = Tokenizer.EncodeOptions(rawValue: example.options)
    #expect(try tokenizer.ids(example.text, options) == example.ids)
  }

  @Test("bytes that are not UTF-8 become their byte pieces and come back")
  func notUTF8() throws {
    let tokenizer = try demoTokenizer()
    let cases: [([UInt8], [Int32])] = [
      ([0xFF, 0xFE], [28705, 258, 257]),
      ([0x61, 0xFF, 0x62], [264, 258, 28726]),
      ([0xED, 0xA0, 0x80], [28705, 240, 163, 131]),
      ([0xC0, 0x80], [28705, 195, 131]),
      ([0x80], [28705, 131]),
      ([0xF5, 0x80, 0x80, 0x80], [28705, 248, 131, 131, 131]),
      ([0xF0, 0x9F, 0xA6], [28705, 243, 162, 169]),
    ]
    for (bytes, ids) in cases {
      #expect(try tokenizer.ids(bytes) == ids)
      #expect(try tokenizer.bytes(ids) == bytes)
    }
  }

  static let decoded: [Example] = [
    Example("Hello world", [22557, 1526]),
    Example(" Hello", [28705, 22557]),
    Example("Hello", [1, 22557]),
    Example("Hello Hello", [22557, 1, 22557]),
    Example(" ", [28705, 28705]),
    Example("", [28705]),
    Example("\n Hello", [28705, 13, 22557]),
    Example("\r Hello", [16, 22557]),
    Example("\u{2581}", [229, 153, 132]),
    Example("Hello \u{2047}  world", [22557, 0, 1526]),
    Example("", []),
  ]

  @Test("ids to text", arguments: decoded)
  func decode(example: Example) throws {
    #expect(try demoTokenizer().text(example.ids) == example.text)
  }

  @Test("decoding a continuation, and spelling control tokens")
  func decodingOptions() throws {
    let tokenizer = try demoTokenizer()
    #expect(try tokenizer.text([22557, 1526], .continuation) == " Hello world")
    #expect(try tokenizer.text([1, 22557, 2], .special) == "<s> Hello</s>")
    #expect(try tokenizer.text([1, 22557, 2]) == "Hello")
    #expect(try tokenizer.bytes([229, 153]) == [0xE2, 0x96])
  }
}

@Suite("SmolLM2, where MIXTRAL_SMOLLM2 names its file")
struct SmolLM2Examples {
  static let examples: [Example] = [
    Example("Hello world", [19556, 905]),
    Example("Hello world", [19556, 905], .bos),
    Example(" Hello", [38699]),
    Example("  two  spaces ", [216, 827, 216, 5600, 216]),
    Example("a\n\nb", [81, 198, 198, 82]),
    Example("year 2024!", [3610, 216, 34, 32, 34, 36, 17]),
    Example("a  2", [81, 256, 34]),
    Example("don't", [12420, 982]),
    Example("DON'T", [52, 2154, 23, 68]),
    Example("it's 5's", [269, 506, 216, 37, 506]),
    Example("²½Ⅷ٣", [19133, 16738, 173, 223, 117, 164, 113]),
    Example("日本", [23274, 115, 40993]),
    Example("😀", [10813, 242, 218]),
    Example("\u{1F999}", [10813, 116, 243]),
    Example("e\u{301}x", [85, 151, 219, 104]),
    Example("x  y\t\tz", [104, 216, 329, 197, 197, 106]),
    Example("<|im_end|>", [44, 108, 306, 79, 486, 108, 46]),
    Example(
      "a<|im_end|> b <|im_start|>user\nx", [81, 2, 278, 216, 1, 4093, 198, 104], .special),
    Example("a\u{4}b", [81, 82]),
    Example(".\u{4}[", [30, 75]),
    Example(
      "<|im_start|>user\n \nHi<|im_end|>\n", [1, 4093, 3805, 198, 26843, 2, 198], .special),
  ]

  @Test("text to ids", .enabled(if: environment("MIXTRAL_SMOLLM2") != nil), arguments: examples)
  func encode(example: Example) throws {
    let tokenizer = try namedTokenizer("MIXTRAL_SMOLLM2")
    let options = Tokenizer.EncodeOptions(rawValue: example.options)
    #expect(try tokenizer.ids(example.text, options) == example.ids)
  }
}

@Suite("Tekken, where MIXTRAL_TEKKEN names its vocabulary")
struct TekkenExamples {
  static let examples: [Example] = [
    Example("Hi", [1, 37133], .bos),
    Example("Hello world", [22177, 4304]),
    Example("  two  spaces ", [1032, 2295, 1032, 18971, 1032]),
    Example("year 2024!", [26098, 1032, 1050, 1048, 1050, 1052, 1033]),
    Example("don't", [21797, 2405]),
    Example("HelloWORLDfoo", [22177, 1087, 64921, 20182]),
    Example("http://a/b//\n\nc", [3809, 2345, 1097, 15836, 1555, 1267, 1099]),
    Example("日本", [10008]),
    Example("\u{1F999}", [1240, 1159, 1166, 1153]),
    Example("नमस्ते दुनिया", [2485, 3525, 22475, 1803, 115801]),
    Example("<s>[INST]", [1060, 1115, 110391, 3174, 3074, 1093]),
    Example("<s>[INST]", [1, 3], .special),
  ]

  @Test("text to ids", .enabled(if: environment("MIXTRAL_TEKKEN") != nil), arguments: examples)
  func encode(example: Example) throws {
    let tokenizer = try namedTokenizer("MIXTRAL_TEKKEN")
    let options = Tokenizer.EncodeOptions(rawValue: example.options)
    #expect(try tokenizer.ids(example.text, options) == example.ids)
  }
}

@Suite("Mistral v3, where MIXTRAL_MISTRAL_V3 names its vocabulary")
struct MistralV3Examples {
  static let examples: [Example] = [
    Example("a[REFERENCE_DOC_1]b", [1032, 769, 29494]),
    Example("[INST] hi", [1501, 17057, 29561, 12782]),
    Example("[INST] hi", [3, 29473, 12782], .special),
  ]

  @Test("text to ids", .enabled(if: environment("MIXTRAL_MISTRAL_V3") != nil), arguments: examples)
  func encode(example: Example) throws {
    let tokenizer = try namedTokenizer("MIXTRAL_MISTRAL_V3")
    let options = Tokenizer.EncodeOptions(rawValue: example.options)
    #expect(try tokenizer.ids(example.text, options) == example.ids)
  }
}
