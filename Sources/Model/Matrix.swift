// One packed matrix: where its panels lie and which product multiplies it. A plain value, copied
// freely; the weights' memory outlives it.
import Kernels
import Quantization

/// A matrix of `rows` outputs by `columns` inputs, in panels of sixteen rows.
struct Matrix {
  let rows: Int
  let columns: Int
  /// Blocks of a row; for plain values columns.
  let blocks: Int
  /// Bytes of a panel.
  let panelStride: Int
  let form: ActivationForm
  let panels: UnsafeRawPointer
  let product: KernelTable.Product
  /// The product of interleaved rows, if some of `floatRows` are.
  let tiles: KernelTable.Tiles?
  let floatRows: FloatRows

  var panelCount: Int { (rows &+ 15) &>> 4 }

  /// Bytes of a row of activations that it meets.
  var activationStride: Int { form.rowByteCount(columns: columns) }

  /// out[row][16 panel ...] = activations[row] x panels `first`..<`first + count`.
  ///
  /// SAFETY: the step's scratch was sized for `rowCount` rows of this matrix.
  func multiply(
    panels first: Int, count: Int, activations: UnsafeRawPointer, rowStride: Int, rowCount: Int,
    into out: UnsafeMutablePointer<Float>, outStride: Int, workspace: UnsafeMutableRawPointer
  ) {
    let panels = panels + first &* panelStride
    let out = out + first &* 16
    var done = 0
    if let tiles {
      done = floatRows.interleaved(rowCount)
      tiles(panels, count, blocks, activations, done, out, outStride, workspace)
    }
    product(
      panels, count, blocks, activations + done &* rowStride, rowCount &- done, rowStride,
      out + done &* outStride, outStride)
  }
}

/// The forms of activations that some matrices read.
struct FormSet: OptionSet {
  let rawValue: UInt8
  init(rawValue: UInt8) { self.rawValue = rawValue }
  init(_ form: ActivationForm) { rawValue = 1 &<< UInt8(truncatingIfNeeded: form.rawValue) }
}

/// The weights of one layer.
///
/// Dense models have one expert and no router.
struct Layer {
  let attentionNorm: UnsafeMutablePointer<Float>
  let query: Matrix
  let key: Matrix
  let value: Matrix
  let output: Matrix
  let feedForwardNorm: UnsafeMutablePointer<Float>
  let router: Matrix?
  /// [experts], or one.
  let gate: UnsafeMutablePointer<Matrix>
  let up: UnsafeMutablePointer<Matrix>
  let down: UnsafeMutablePointer<Matrix>
  /// What query, key and value read; what gates and ups of all experts read; what downs read.
  let attentionForms: FormSet
  let gateForms: FormSet
  let downForms: FormSet
}
