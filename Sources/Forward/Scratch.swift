// The memory of a pass, planned once per model: every buffer of the forward pass with its shape,
// for the largest batch. Sessions share it, as they take turns.
import Base
import Kernels

/// The buffers of the forward pass.
package struct Scratch {
  /// Most rows of a pass.
  package let rows: Int

  /// [rows][hidden]: the residual stream.
  let hidden: FloatBuffer
  /// The normalised stream.
  let normed: Activations
  /// [rows][heads x headWidth], [rows][kvHeads x headWidth] twice: before rotation.
  let query: FloatBuffer
  let key: FloatBuffer
  let value: FloatBuffer
  /// [kvHeads][rows][headsPerKVHead][headStride]: rotated queries.
  let rotated: UnsafeMutablePointer<Float>
  /// [rows][ropeWidth / 2][2]: cosines and sines.
  let angles: FloatBuffer
  let attended: Activations
  /// [slots][hidden] (a slot is a row and one of its experts): what attention or the experts add to
  /// the stream.
  let added: FloatBuffer
  /// [rows][experts].
  let router: FloatBuffer
  /// [rows][expertsPerToken]: chosen experts, best first, and their weights.
  let choices: UnsafeMutablePointer<Int32>
  let expertWeights: UnsafeMutablePointer<Float>
  /// [rows][expertsPerToken]: where each choice lies among the slots.
  let slotOf: UnsafeMutablePointer<Int32>
  /// [slots]: the row of each slot.
  let rowOf: UnsafeMutablePointer<Int32>
  /// [experts + 1]: first slot of each expert.
  let firstSlot: UnsafeMutablePointer<Int32>
  /// [experts]: those that have rows; and how many they are.
  let active: UnsafeMutablePointer<Int32>
  let activeCount: UnsafeMutablePointer<Int>
  /// Rows of `normed` in the order of the slots.
  let gathered: Activations
  /// gate, then silu(gate) x up.
  let gated: Activations
  /// [slots][feedForward].
  let up: FloatBuffer
  /// [outputRows][vocabulary].
  package let logits: FloatBuffer
  /// The working memory of each thread.
  private let workspaces: UnsafeMutableRawPointer
  private let workspaceStride: Int

  package let byteCount: Int
  private let memory: Memory

  /// Rows of logits computed together.
  package static let outputRows = 16

  /// Takes the memory of `layout`.
  @export(interface)
  package init(_ layout: Layout, from host: HostMemory?) throws(EngineError) {
    let memory = try Memory.allocated(
      byteCount: layout.byteCount, for: "the buffers of a pass of \(layout.rows) rows", from: host)
    let base = memory.base
    func floats(_ buffer: Layout.Buffer) -> FloatBuffer {
      FloatBuffer(
        base: (base + buffer.offset).assumingMemoryBound(to: Float.self), stride: buffer.stride)
    }
    func integers(_ offset: Int) -> UnsafeMutablePointer<Int32> {
      (base + offset).assumingMemoryBound(to: Int32.self)
    }
    rows = layout.rows
    hidden = floats(layout.hidden)
    normed = Activations(base, layout.normed)
    query = floats(layout.query)
    key = floats(layout.key)
    value = floats(layout.value)
    rotated = floats(layout.rotated).base
    angles = floats(layout.angles)
    attended = Activations(base, layout.attended)
    added = floats(layout.added)
    router = floats(layout.router)
    choices = integers(layout.choices)
    expertWeights = (base + layout.expertWeights).assumingMemoryBound(to: Float.self)
    slotOf = integers(layout.slotOf)
    rowOf = integers(layout.rowOf)
    firstSlot = integers(layout.firstSlot)
    active = integers(layout.active)
    activeCount = (base + layout.activeCount).assumingMemoryBound(to: Int.self)
    gathered = Activations(base, layout.gathered)
    gated = Activations(base, layout.gated)
    up = floats(layout.up)
    logits = floats(layout.logits)
    workspaces = base + layout.workspaces
    workspaceStride = layout.workspaceStride
    byteCount = layout.byteCount
    self.memory = memory
  }

  /// The working memory of thread `worker`.
  func workspace(_ worker: Int) -> UnsafeMutableRawPointer { workspaces + worker * workspaceStride }
}
