// The memory of a pass, planned once per model: every buffer of the forward pass with its shape,
// for the largest batch. Sessions share it, as they take turns.
import Base
import Kernels
import Quantization

/// Rows of activations in each form that some product reads.
struct Activations {
  /// [rows][stride]: the values themselves.
  let values: UnsafeMutablePointer<Float>
  let stride: Int
  /// The values where products of plain values read them (`FloatRows`): apart, or `values` itself.
  private let floats: UnsafeMutablePointer<Float>
  private let blocks32: UnsafeMutableRawPointer
  private let blocks32Stride: Int
  private let blocks256: UnsafeMutableRawPointer
  private let blocks256Stride: Int

  /// Where the buffers lie in the memory of a pass.
  struct Offsets {
    let values: Int
    let floats: Int
    let blocks32: Int
    let blocks256: Int

    /// Room for `rows` times `slots` rows.
    init(_ sizes: inout Sizes, rows: Int, _ slots: Int, width: Int, floatsApart: Bool) {
      let floatCount = slots &* padded(width) &* 4
      values = sizes.add(rows, floatCount)
      floats = floatsApart ? sizes.add(rows, floatCount) : values
      blocks32 = sizes.add(rows, slots &* ActivationForm.blocks32.rowByteCount(columns: width))
      blocks256 = sizes.add(rows, slots &* ActivationForm.blocks256.rowByteCount(columns: width))
    }
  }

  init(_ base: UnsafeMutableRawPointer, _ offsets: Offsets, width: Int) {
    values = (base + offsets.values).assumingMemoryBound(to: Float.self)
    floats = (base + offsets.floats).assumingMemoryBound(to: Float.self)
    stride = padded(width)
    blocks32 = base + offsets.blocks32
    blocks32Stride = ActivationForm.blocks32.rowByteCount(columns: width)
    blocks256 = base + offsets.blocks256
    blocks256Stride = ActivationForm.blocks256.rowByteCount(columns: width)
  }

  /// Row `row` in `form`; as `float` the first of rows that a product reads together.
  func row(_ row: Int, _ form: ActivationForm) -> UnsafeMutableRawPointer {
    switch form {
    case .float: UnsafeMutableRawPointer(floats + row &* stride)
    case .blocks32: blocks32 + row &* blocks32Stride
    case .blocks256: blocks256 + row &* blocks256Stride
    }
  }

  /// Row `row` in `form`, for a product of this row alone.
  func single(_ row: Int, _ form: ActivationForm) -> UnsafeRawPointer {
    form == .float
      ? UnsafeRawPointer(values + row &* stride) : UnsafeRawPointer(self.row(row, form))
  }

  /// Puts `x` in place of row `row`, for a product of the `count` rows from `first` on.
  func place(
    _ x: UnsafePointer<Float>, row: Int, first: Int, of count: Int, _ rows: FloatRows, width: Int
  ) {
    rows.place(
      x, columns: width, row: row &- first, of: count, floats + first &* stride, stride: stride)
  }

  /// Whether the products of plain values read other memory than `values`.
  var hasFloatsApart: Bool { floats != values }

  /// Bytes from row to row in `form`.
  func rowStride(_ form: ActivationForm) -> Int {
    switch form {
    case .float: stride &* 4
    case .blocks32: blocks32Stride
    case .blocks256: blocks256Stride
    }
  }
}

/// The buffers of the forward pass.
struct Scratch {
  /// Most rows of a pass.
  let rows: Int

  /// [rows][hidden]: the residual stream.
  let hidden: UnsafeMutablePointer<Float>
  let hiddenStride: Int
  /// The normalised stream.
  let normed: Activations
  /// [rows][heads x headWidth], [rows][kvHeads x headWidth] twice: before rotation.
  let query: UnsafeMutablePointer<Float>
  let queryStride: Int
  let key: UnsafeMutablePointer<Float>
  let value: UnsafeMutablePointer<Float>
  let kvStride: Int
  /// [kvHeads][rows][headsPerKVHead][headStride]: rotated queries.
  let rotated: UnsafeMutablePointer<Float>
  /// [rows][ropeWidth / 2][2]: cosines and sines.
  let angles: UnsafeMutablePointer<Float>
  let attended: Activations
  /// [slots][hidden] (a slot is a row and one of its experts): what attention or the experts add to
  /// the stream.
  let added: UnsafeMutablePointer<Float>
  /// [rows][experts].
  let router: UnsafeMutablePointer<Float>
  let routerStride: Int
  /// [rows][expertsPerToken]: chosen experts, best first, and their weights.
  let choices: UnsafeMutablePointer<Int32>
  let weights: UnsafeMutablePointer<Float>
  /// [rows][expertsPerToken]: where each choice lies among the slots.
  let slotOf: UnsafeMutablePointer<Int32>
  /// [slots]: the row of each slot.
  let rowOf: UnsafeMutablePointer<Int32>
  /// [experts + 1]: first slot of each expert.
  let firstSlot: UnsafeMutablePointer<Int32>
  /// [experts]: those that have rows.
  let active: UnsafeMutablePointer<Int32>
  /// Rows of `normed` in the order of the slots.
  let gathered: Activations
  /// gate, then gate x silu x up.
  let gated: Activations
  /// [slots][feedForward].
  let up: UnsafeMutablePointer<Float>
  /// [outputRows][vocabulary].
  let logits: UnsafeMutablePointer<Float>
  let logitsStride: Int
  /// One a thread.
  private let workspaces: UnsafeMutableRawPointer
  private let workspaceStride: Int

  let byteCount: Int
  private let memory: Memory

  /// Rows of logits computed together.
  static let outputRows = 16

  /// `floatsApart`: products of plain values want their rows in other places than these are made.
  init(
    _ shape: Hyperparameters, vocabulary: Int, rows: Int, threads: Int, floatsApart: Bool,
    from host: HostMemory?
  ) throws(EngineError) {
    // What a row needs is bounded by the limits of `Hyperparameters`: 512 experts of at most 2^20
    // floats. Rows and threads are multiplied by `Sizes` alone.
    let slots = max(1, shape.expertsPerToken)
    let queryWidth = shape.heads &* shape.headWidth
    let kvWidth = shape.kvHeads &* shape.headWidth
    let headStride = padded(shape.headWidth)
    var sizes = Sizes()
    func activations(_ count: Int, _ width: Int) -> Activations.Offsets {
      Activations.Offsets(&sizes, rows: rows, count, width: width, floatsApart: floatsApart)
    }
    let hidden = sizes.add(rows, padded(shape.hiddenWidth) &* 4)
    let normed = activations(1, shape.hiddenWidth)
    let query = sizes.add(rows, padded(queryWidth) &* 4)
    let key = sizes.add(rows, padded(kvWidth) &* 4)
    let value = sizes.add(rows, padded(kvWidth) &* 4)
    let rotated = sizes.add(rows, shape.heads &* headStride &* 4)
    let angles = sizes.add(rows, shape.ropeWidth &* 4)
    let attended = activations(1, queryWidth)
    let added = sizes.add(rows, slots &* padded(shape.hiddenWidth) &* 4)
    let router = sizes.add(rows, padded(max(1, shape.experts)) &* 4)
    let choices = sizes.add(rows, slots &* 4)
    let weights = sizes.add(rows, slots &* 4)
    let slotOf = sizes.add(rows, slots &* 4)
    let rowOf = sizes.add(rows, slots &* 4)
    let firstSlot = sizes.add(max(1, shape.experts) &+ 1, 4)
    let active = sizes.add(max(1, shape.experts), 4)
    let gathered = activations(slots, shape.hiddenWidth)
    let gated = activations(slots, shape.feedForwardWidth)
    let up = sizes.add(rows, slots &* padded(shape.feedForwardWidth) &* 4)
    let logits = sizes.add(Self.outputRows, padded(vocabulary) &* 4)
    let workspaceStride = max(
      AttentionWorkspace.byteCount(headStride: headStride), FloatRows.workspaceByteCount)
    let workspaces = sizes.add(threads, workspaceStride)
    guard let total = sizes.total else {
      throw EngineError(.limitExceeded, "the sizes of a pass of \(rows) rows overflow 64 bits")
    }
    let memory = try Memory(
      byteCount: total, for: "the buffers of a pass of \(rows) rows", from: host)
    let base = memory.base
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> {
      (base + offset).assumingMemoryBound(to: Float.self)
    }
    func integers(_ offset: Int) -> UnsafeMutablePointer<Int32> {
      (base + offset).assumingMemoryBound(to: Int32.self)
    }
    self.rows = rows
    self.hidden = floats(hidden)
    hiddenStride = padded(shape.hiddenWidth)
    self.normed = Activations(base, normed, width: shape.hiddenWidth)
    self.query = floats(query)
    queryStride = padded(queryWidth)
    self.key = floats(key)
    self.value = floats(value)
    kvStride = padded(kvWidth)
    self.rotated = floats(rotated)
    self.angles = floats(angles)
    self.attended = Activations(base, attended, width: queryWidth)
    self.added = floats(added)
    self.router = floats(router)
    routerStride = padded(max(1, shape.experts))
    self.choices = integers(choices)
    self.weights = floats(weights)
    self.slotOf = integers(slotOf)
    self.rowOf = integers(rowOf)
    self.firstSlot = integers(firstSlot)
    self.active = integers(active)
    self.gathered = Activations(base, gathered, width: shape.hiddenWidth)
    self.gated = Activations(base, gated, width: shape.feedForwardWidth)
    self.up = floats(up)
    self.logits = floats(logits)
    logitsStride = padded(vocabulary)
    self.workspaces = base + workspaces
    self.workspaceStride = workspaceStride
    byteCount = total
    self.memory = memory
  }
}

extension Scratch {
  /// What thread `worker` works in.
  func workspace(_ worker: Int) -> UnsafeMutableRawPointer {
    workspaces + worker &* workspaceStride
  }
}

/// What a thread needs for the queries of one group: the state of the online softmax.
struct AttentionWorkspace {
  /// [queries].
  let firsts: UnsafeMutablePointer<Int32>
  let lasts: UnsafeMutablePointer<Int32>
  let maxima: UnsafeMutablePointer<Float>
  /// [queries][16].
  let sums: UnsafeMutablePointer<Float>
  /// [6][64], see `AttentionPage`.
  let weights: UnsafeMutablePointer<Float>
  /// [queries][headStride].
  let outputs: UnsafeMutablePointer<Float>

  /// Groups hold at most this many queries: a row may bring more heads than
  /// `Batch.queriesPerGroup`.
  static let queries = 1024

  private static let weightCount = 6 * 64

  static func byteCount(headStride: Int) -> Int {
    (queries &* (3 + 16 &+ headStride) &+ weightCount) &* 4
  }

  init(_ base: UnsafeMutableRawPointer, headStride: Int) {
    let floats = base.assumingMemoryBound(to: Float.self)
    maxima = floats
    firsts = (base + Self.queries * 4).assumingMemoryBound(to: Int32.self)
    lasts = (base + Self.queries * 8).assumingMemoryBound(to: Int32.self)
    sums = floats + Self.queries * 3
    weights = floats + Self.queries * 19
    outputs = floats + (Self.queries * 19 + Self.weightCount)
  }
}

/// Sets `count` values; none for a count below 1.
@inline(__always)
func fill<Value: BitwiseCopyable>(
  _ values: UnsafeMutablePointer<Value>, _ count: Int, _ value: Value
) {
  var i = 0
  while i < count {
    values[i] = value
    i &+= 1
  }
}
