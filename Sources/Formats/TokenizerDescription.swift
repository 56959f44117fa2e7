// The tokenizer as a file describes it, in plain values, before any of it is believed.
import Base

/// The kinds of piece in `tokenizer.ggml.token_type`.
@frozen @usableFromInline
package enum PieceType: Int32, Sendable, BitwiseCopyable {
  case normal = 1
  /// Stands for what no piece spells.
  case unknown = 2
  /// Never matches text that is not trusted.
  case control = 3
  /// Matches always, whole, before any merging.
  case userDefined = 4
  /// May appear while merging, never in the result.
  case unused = 5
  /// A byte, spelled `<0x0A>`.
  case byte = 6
}

/// How a byte-level tokenizer cuts text before merging: `tokenizer.ggml.pre`.
package enum Splitter: String, Sendable, CaseIterable {
  case gpt2 = "gpt-2"
  case smolLM = "smollm"
  case tekken
}

/// A tokenizer's pieces and settings, unchecked.
package struct TokenizerDescription: Sendable {
  /// Which algorithm: `tokenizer.ggml.model`.
  package enum Algorithm: Sendable, Equatable {
    case sentencePiece
    case byteLevel(Splitter)
  }

  package var algorithm: Algorithm
  /// The spelling of each piece, as in the file.
  package var pieces: ByteStrings
  /// A score a piece; only SentencePiece has them.
  package var scores: [Float] = []
  /// A `PieceType` a piece; empty: by spelling.
  package var types: [Int32] = []
  /// `left right`, best first; only byte-level tokenizers other than Tekken use them.
  package var merges = ByteStrings()
  /// Ids, -1 when absent.
  package var bos: Int32 = -1
  package var eos: Int32 = -1
  package var unknown: Int32 = -1
  package var padding: Int32 = -1
  /// Ids that the file names as ends of a text, an answer or a message.
  package var ends = Growable<Int32>()
  package var addsBOS = false
  package var addsEOS = false
  package var addsSpacePrefix = false
  /// Sentences about what the file says and was not believed.
  package var warnings = ByteStrings()

  package init(algorithm: Algorithm, pieces: ByteStrings) {
    self.algorithm = algorithm
    self.pieces = pieces
  }

  /// Of each piece, whether the file names it as an end.
  @export(interface)
  package func endTable() throws(EngineError) -> Growable<Bool> {
    var table = try Growable(filled: false, count: pieces.count)
    for index in below(ends.count) {
      let id = Int(try ends.at(index))
      if id >= 0, id < table.count { try table.put(true, at: id) }
    }
    return table
  }
}
