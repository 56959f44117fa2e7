// The plan of a pass's memory, apart from the memory: sizes can be asked for before anything is
// taken.
import Base
import Kernels

extension Scratch {
  /// Where each buffer lies, and how much all of them need.
  package struct Layout {
    /// Rows of floats: where they begin, and floats from row to row.
    struct Buffer {
      let offset: Int
      let stride: Int
    }

    package let rows: Int
    let hidden: Buffer
    let normed: Activations.Offsets
    let query: Buffer
    let key: Buffer
    let value: Buffer
    let rotated: Buffer
    let angles: Buffer
    let attended: Activations.Offsets
    let added: Buffer
    let router: Buffer
    let choices: Int
    let expertWeights: Int
    let slotOf: Int
    let rowOf: Int
    let firstSlot: Int
    let active: Int
    let activeCount: Int
    let gathered: Activations.Offsets
    let gated: Activations.Offsets
    let up: Buffer
    let logits: Buffer
    let workspaces: Int
    let workspaceStride: Int
    package let byteCount: Int

    /// `floatsApart`: products of plain values want their rows in other places than these are made.
    @export(interface)
    package init(
      _ shape: Hyperparameters, vocabulary: Int, rows: Int, threads: Int, floatsApart: Bool
    ) throws(EngineError) {
      // The limits of `Hyperparameters` bound the bytes of a row: 512 experts of at most 2^20
      // floats. Rows and threads are multiplied by `Sizes` alone.
      let slots = max(1, shape.expertsPerToken)
      let experts = max(1, shape.experts)
      var sizes = Sizes()
      func buffer(_ count: Int, of rows: Int, _ width: Int) -> Buffer {
        Buffer(offset: sizes.add(rows, count * padded(width) * 4), stride: padded(width))
      }
      func activations(_ count: Int, _ width: Int) -> Activations.Offsets {
        Activations.Offsets(&sizes, rows: rows, count, width: width, floatsApart: floatsApart)
      }
      self.rows = rows
      hidden = buffer(1, of: rows, shape.hiddenWidth)
      normed = activations(1, shape.hiddenWidth)
      query = buffer(1, of: rows, shape.heads * shape.headWidth)
      key = buffer(1, of: rows, shape.kvHeads * shape.headWidth)
      value = buffer(1, of: rows, shape.kvHeads * shape.headWidth)
      rotated = buffer(shape.heads, of: rows, shape.headWidth)
      angles = buffer(1, of: rows, shape.ropeWidth)
      attended = activations(1, shape.heads * shape.headWidth)
      added = buffer(slots, of: rows, shape.hiddenWidth)
      router = buffer(1, of: rows, experts)
      choices = sizes.add(rows, slots * 4)
      expertWeights = sizes.add(rows, slots * 4)
      slotOf = sizes.add(rows, slots * 4)
      rowOf = sizes.add(rows, slots * 4)
      firstSlot = sizes.add(experts + 1, 4)
      active = sizes.add(experts, 4)
      activeCount = sizes.add(1, MemoryLayout<Int>.size)
      gathered = activations(slots, shape.hiddenWidth)
      gated = activations(slots, shape.feedForwardWidth)
      up = buffer(slots, of: rows, shape.feedForwardWidth)
      logits = buffer(1, of: Scratch.outputRows, vocabulary)
      workspaceStride = max(
        OnlineSoftmax.byteCount(headStride: padded(shape.headWidth)), FloatRows.workspaceByteCount,
        tileByteCount)
      workspaces = sizes.add(threads, workspaceStride)
      guard let total = sizes.total else {
        throw EngineError(.limitExceeded, "the sizes of a pass of \(rows) rows overflow 64 bits")
      }
      byteCount = total
    }
  }
}
