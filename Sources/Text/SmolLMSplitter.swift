// SmolLM's splitter: every number character alone, then GPT-2's splitter on each stretch between
// two.
// Source: the pre_tokenizer of HuggingFaceTB/SmolLM2-135M-Instruct, tokenizer.json.
import Base
import Formats

/// Cuts text as SmolLM2 does.
enum SmolLMSplitter {
  /// Where the piece that begins at `start` of `text[..<end]` ends.
  static func pieceEnd(
    _ text: borrowing Growable<UInt8>, _ classes: borrowing ScalarClasses, from start: Int,
    to end: Int
  ) throws(EngineError) -> Int {
    guard let first = try classes.scalar(text, at: start, to: end) else { return end }
    if ScalarClassSet.numbers.contains(first.kind) { return first.end }
    return try GPT2Splitter.pieceEnd(
      text, classes, from: start, to: end, numbersEndTheText: true)
  }
}
