// SmolLM's splitter: every number character alone, then GPT-2's splitter on each stretch between
// two.
// Source: the pre_tokenizer of HuggingFaceTB/SmolLM2-135M-Instruct, tokenizer.json.

/// Cuts text as SmolLM2 does.
enum SmolLMSplitter {
  /// Where the piece that begins at `start` of `text[..<end]` ends.
  static func pieceEnd(_ text: borrowing Growable<UInt8>, from start: Int, to end: Int) -> Int {
    guard let first = ClassedScalar(text, at: start, to: end) else { return end }
    if first.kind == .number { return first.end }
    return GPT2Splitter.pieceEnd(text, from: start, to: end, numbersEndTheText: true)
  }
}
