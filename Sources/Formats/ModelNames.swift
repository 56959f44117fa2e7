// The parts of a model by our names: its numbers and its tensors. A format says how its files
// spell them (`CheckpointSpelling`); whoever builds a model asks by these names alone.
import Base

/// A number or word of a model that says how it computes.
package enum Setting: Sendable {
  case architecture, quantizationVersion
  case layers, hiddenWidth, heads, kvHeads, keyWidth, valueWidth, feedForwardWidth
  case experts, expertsPerToken
  case contextLength, slidingWindow
  /// Which layers have the window.
  case windowPattern
  case ropeBase, ropeWidth, ropeScaling, ropeFactor
  /// The factor by its older name.
  case ropeScale
  /// A factor of keys and queries when they are rotated.
  case ropeMagnitude
  case normEpsilon
}

/// A tensor of a layer.
package enum LayerTensor: Sendable {
  case attentionNorm, query, key, value, attentionOutput
  case feedForwardNorm, router, gate, up, down
}

/// A tensor by its role in a model.
package enum TensorRole: Sendable {
  case tokenEmbedding, outputNorm, output, ropeFactors
  /// Of a layer, from 0.
  case layer(Int, LayerTensor)
  /// The vector that is added to the outputs of a layer's matrix.
  case bias(Int, LayerTensor)
  /// The matrices of all experts of a layer in one tensor.
  case experts(Int, LayerTensor)
  /// The matrix of one expert, from 0.
  case expert(Int, LayerTensor, expert: Int)
}

/// How the files of a format spell what a model consists of.
package struct CheckpointSpelling: Sendable {
  /// The key of a setting.
  let key: @Sendable (Setting) -> String
  /// The name of a tensor.
  let tensor: @Sendable (TensorRole) -> String
  /// Whether a tensor of that name is beside the model: the tower of another kind of input.
  let isBeside: @Sendable (String) -> Bool
  /// Keys that say how other models compute, which no setting stands for, and the values with which
  /// they change nothing.
  let foreign: [ForeignKey]
  /// (metadata, rows of the embedding): what they say of the tokenizer.
  let tokenizer: @Sendable (Metadata, Int) throws(EngineError) -> TokenizerDescription
}

/// A key of a format that says how a model computes what none here computes.
struct ForeignKey: Sendable {
  let key: String
  /// With these, and absent, it changes nothing; truth is 1.
  let harmless: [Double]

  init(_ key: String, _ harmless: Double...) {
    self.key = key
    self.harmless = harmless
  }

  /// The values that may stand there, for sentences, as a value of the same type as `value`.
  func allowed(like value: MetadataValue) -> String {
    var text = "none"
    for number in harmless {
      switch value {
      case .bool: if number <= 1 { text += number == 1 ? ", true" : ", false" }
      case .unsigned, .signed: text += ", \(Int64(exactly: number) ?? 0)"
      case .float32, .float64, .string, .array: text += ", \(number)"
      }
    }
    return text
  }
}
