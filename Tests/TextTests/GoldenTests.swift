// Hundreds of mixed texts, against the oracles named by the scripts in Tests/Oracle/tokenizers.
import Testing
import Text

private func goldens(_ name: String) throws -> [Golden] {
  try #require(Golden.read(repositoryPath("Tests/Oracle/tokenizers/\(name).golden")))
}

@Suite("Golden ids")
struct GoldenTests {
  @Test("Mistral v1 agrees with sentencepiece")
  func mistralV1() throws {
    let result = try mismatches(try demoTokenizer(), try goldens("v1"))
    #expect(result.count == 0, "\(result.first)")
  }

  @Test("Mistral v1 with control tokens agrees with llama.cpp")
  func mistralV1Trusted() throws {
    let result = try mismatches(try demoTokenizer(), try goldens("v1-trusted"), .special)
    #expect(result.count == 0, "\(result.first)")
  }

  @Test("Mistral v1 decodes as sentencepiece does")
  func mistralV1Decoding() throws {
    let tokenizer = try demoTokenizer()
    for golden in try goldens("v1-decode") {
      let text = replacingBadBytes(try tokenizer.bytes(golden.ids))
      #expect(text == String(decoding: golden.text, as: UTF8.self), "\(golden.ids)")
    }
  }

  @Test("a cut Tekken agrees with llama.cpp")
  func tekkenCut() throws {
    let tokenizer = try tokenizer(at: repositoryPath(nemoShapePath))
    var result = try mismatches(tokenizer, try goldens("tekken-cut"))
    #expect(result.count == 0, "\(result.first)")
    result = try mismatches(tokenizer, try goldens("tekken-cut-trusted"), .special)
    #expect(result.count == 0, "\(result.first)")
  }

  @Test(
    "whole vocabularies, where a variable names them",
    arguments: [
      ("MIXTRAL_SMOLLM2", "smollm2"), ("MIXTRAL_TEKKEN", "tekken"), ("MIXTRAL_MISTRAL_V3", "v3"),
    ])
  func whole(variable: String, name: String) throws {
    guard environment(variable) != nil else { return }
    let tokenizer = try namedTokenizer(variable)
    let result = try mismatches(tokenizer, try goldens(name))
    #expect(result.count == 0, "\(result.first)")
    // A larger set, made by the same script, may be named as well.
    guard let path = environment(variable + "_GOLDEN") else { return }
    let more = try mismatches(tokenizer, try #require(Golden.read(path)))
    #expect(more.count == 0, "\(more.first)")
  }
}
