// The weights that the pass reads: matrices in panels, and the layers made of them. Plain values,
// copied freely; the memory behind their pointers outlives the pass.
import Kernels

/// A matrix of `rows` outputs by `columns` inputs, in panels of sixteen rows.
package struct Matrix {
  package let rows: Int
  package let columns: Int
  /// Blocks of a row; for plain values columns.
  package let blocks: Int
  /// Bytes of a panel.
  package let panelStride: Int
  package let form: ActivationForm
  package let panels: UnsafeRawPointer
  let product: KernelTable.Product
  /// The product of row bundles; nil where activations stay as they are.
  let tiles: KernelTable.BundledProduct?
  let floatRows: FloatRows
  /// The vector that is added to the outputs, [16 x panels]; nil for none.
  let bias: UnsafePointer<Float>?

  /// `interleaves`: several rows of plain values are read interleaved, where the table does so.
  package init(
    rows: Int, columns: Int, blocks: Int, panelStride: Int, form: ActivationForm,
    panels: UnsafeRawPointer, type: PanelType, table: KernelTable, interleaves: Bool = true,
    bias: UnsafePointer<Float>? = nil
  ) {
    self.rows = rows
    self.columns = columns
    self.blocks = blocks
    self.panelStride = panelStride
    self.form = form
    self.panels = panels
    product = table.product(type)
    tiles = interleaves ? table.bundledProduct(type) : nil
    floatRows = table.floatRows
    self.bias = bias
  }

  package var panelCount: Int { (rows + panelRows - 1) / panelRows }

  /// out[row][16 panel ...] = activations[row] x the panels, plus the bias.
  ///
  /// SAFETY: `activations` and `out` have `rowCount` rows of this matrix.
  func multiply(
    panels range: Range<Int>, activations: UnsafeRawPointer, rowStride: Int, rowCount: Int,
    into out: FloatBuffer, workspace: UnsafeMutableRawPointer
  ) {
    let panels = panels + range.lowerBound * panelStride
    let target = out.base + range.lowerBound * panelRows
    var done = 0
    if let tiles {
      done = floatRows.bundled(rowCount)
      tiles(panels, range.count, blocks, activations, done, target, out.stride, workspace)
    }
    product(
      panels, range.count, blocks, activations + done * rowStride, rowCount - done, rowStride,
      target + done * out.stride, out.stride)
    if let bias {
      let added = bias + range.lowerBound * panelRows
      for row in 0..<rowCount {
        let outputs = target + row * out.stride
        for i in 0..<range.count * panelRows { outputs[i] += added[i] }
      }
    }
  }
}

/// The forms of activations that some matrices read.
package struct FormSet: OptionSet, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  package init(_ form: ActivationForm) { rawValue = 1 &<< UInt8(truncatingIfNeeded: form.rawValue) }
}

/// The weights of one layer.
///
/// Dense models have one expert and no router.
package struct Layer {
  package let attentionNorm: UnsafePointer<Float>
  package let query: Matrix
  package let key: Matrix
  package let value: Matrix
  package let output: Matrix
  package let feedForwardNorm: UnsafePointer<Float>
  /// Never interleaved: each row meets it alone.
  package let router: Matrix?
  /// [experts], or one.
  package let gate: UnsafePointer<Matrix>
  package let up: UnsafePointer<Matrix>
  package let down: UnsafePointer<Matrix>
  /// The forms that query, key and value read; gates and ups of all experts; downs.
  package let attentionForms: FormSet
  package let gateForms: FormSet
  package let downForms: FormSet

  package init(
    attentionNorm: UnsafePointer<Float>, query: Matrix, key: Matrix, value: Matrix, output: Matrix,
    feedForwardNorm: UnsafePointer<Float>, router: Matrix?, gate: UnsafePointer<Matrix>,
    up: UnsafePointer<Matrix>, down: UnsafePointer<Matrix>, attentionForms: FormSet,
    gateForms: FormSet, downForms: FormSet
  ) {
    self.attentionNorm = attentionNorm
    self.query = query
    self.key = key
    self.value = value
    self.output = output
    self.feedForwardNorm = feedForwardNorm
    self.router = router
    self.gate = gate
    self.up = up
    self.down = down
    self.attentionForms = attentionForms
    self.gateForms = gateForms
    self.downForms = downForms
  }

  /// The forms that router, gates and ups read of the normalised stream.
  ///
  /// Plain values are always there for a router.
  var feedForwardForms: FormSet {
    guard let router, router.form != .float else { return gateForms }
    return gateForms.union(FormSet(router.form))
  }
}

/// The weights of a model, as the pass reads them.
package struct LayerWeights {
  /// [layers].
  let layers: UnsafePointer<Layer>
  let output: Matrix
  let outputNorm: UnsafePointer<Float>
  /// The divisors of the frequencies of the rotary embedding, one a pair; nil for none.
  let ropeFactors: UnsafeBufferPointer<Float>?
  /// Writes the embedding of a token: hiddenWidth floats; works in a thread's workspace.
  let embed: (Int, UnsafeMutablePointer<Float>, UnsafeMutableRawPointer) -> Void

  package init(
    layers: UnsafePointer<Layer>, output: Matrix, outputNorm: UnsafePointer<Float>,
    ropeFactors: UnsafeBufferPointer<Float>?,
    embed: @escaping (Int, UnsafeMutablePointer<Float>, UnsafeMutableRawPointer) -> Void
  ) {
    self.layers = layers
    self.output = output
    self.outputNorm = outputNorm
    self.ropeFactors = ropeFactors
    self.embed = embed
  }
}
