// The numbers of a model that the pass computes with.
//
// Every divisor and index of a pass is bounded where these are made (Model/Hyperparameters.swift).

/// The shape of a model of architecture `llama`: Mistral, Mixtral and their fine-tunes.
package struct Hyperparameters: Sendable {
  package let layers: Int
  package let hiddenWidth: Int
  package let heads: Int
  package let kvHeads: Int
  /// Values of a head; heads x headWidth need not be hiddenWidth (Nemo).
  package let headWidth: Int
  /// Width of the feed-forward layer, of one expert when there are experts.
  package let feedForwardWidth: Int
  /// 0 for a dense model.
  package let experts: Int
  package let expertsPerToken: Int
  package let contextLength: Int
  /// Positions a token sees, itself included; 0 for all.
  package let slidingWindow: Int
  package let ropeBase: Float
  /// Values of a head that are rotated, the first ones.
  package let ropeWidth: Int
  /// Positions are divided by this (linear scaling); 1 for none.
  package let ropeFactor: Float
  /// A factor of the rotated values of queries and keys.
  package let ropeMagnitude: Float
  package let normEpsilon: Float

  /// Query heads that share a key-value head.
  package var headsPerKVHead: Int { heads / max(1, kvHeads) }

  package init(
    layers: Int, hiddenWidth: Int, heads: Int, kvHeads: Int, headWidth: Int, feedForwardWidth: Int,
    experts: Int, expertsPerToken: Int, contextLength: Int, slidingWindow: Int, ropeBase: Float,
    ropeWidth: Int, ropeFactor: Float, ropeMagnitude: Float = 1, normEpsilon: Float
  ) {
    self.layers = layers
    self.hiddenWidth = hiddenWidth
    self.heads = heads
    self.kvHeads = kvHeads
    self.headWidth = headWidth
    self.feedForwardWidth = feedForwardWidth
    self.experts = experts
    self.expertsPerToken = expertsPerToken
    self.contextLength = contextLength
    self.slidingWindow = slidingWindow
    self.ropeBase = ropeBase
    self.ropeWidth = ropeWidth
    self.ropeFactor = ropeFactor
    self.ropeMagnitude = ropeMagnitude
    self.normEpsilon = normEpsilon
  }
}
