// A loaded model: weights, tokenizer, workers and the forward pass, shared by all its sessions.
import Base
import Formats
import Forward
import Kernels
import Quantization
import Synchronization
import Text
import Workers

/// How to load a model.
package struct LoadOptions {
  /// Threads in all; at least 1.
  package var threads: Int
  package var table: KernelTable
  /// Positions a token sees; 0 as the file says, -1 off.
  package var slidingWindow: Int64
  /// Experts a token; 0 as the file says.
  package var expertsPerToken: Int
  /// Rows of a pass; 0 for the default.
  package var batch: Int
  /// Whether the panels of a packed file are mapped instead of read.
  package var maps: Bool
  /// Called with bytes packed and in all; true stops.
  package var progress: (UInt64, UInt64) -> Bool
  /// The allocator of the model and its sessions; nil for that of the system.
  package var host: HostMemory?
  package var log = LoadLog()

  package init(table: KernelTable) {
    threads = 1
    self.table = table
    slidingWindow = 0
    expertsPerToken = 0
    batch = 0
    maps = false
    progress = { _, _ in false }
  }
}

/// A model in memory.
///
/// Immutable once loaded; sessions of it step in turns.
package final class Model: @unchecked Sendable {
  package let shape: Hyperparameters
  package let vocabulary: Int
  package let tokenizer: Tokenizer
  package let metadata: MetadataText
  package let table: KernelTable
  package let batch: Int
  package let size: ModelSize
  let pass: ForwardPass
  /// Held for one pass.
  let turn = Turn()
  /// Whether a pass ended before its end; read and written in turns.
  var hasFailed = false
  let weights: Weights
  let workers: Workers
  let host: HostMemory?
  /// `digest`, 0 before it was asked for.
  let knownDigest = Atomic<UInt64>(0)
  /// For the requests of one step of many sessions; touched when first used.
  let requests: Memory
  let requestsTaken = Atomic<Bool>(false)

  /// Sessions that may step together.
  package static let mostRequests = 4096

  package var threads: Int { workers.count }

  /// Rows of a pass when the caller does not say: enough that a prompt reads each weight few times.
  static let defaultBatch = 512

  /// Loads the model at `path` (bytes up to a NUL).
  @export(interface)
  package static func load(
    path: UnsafePointer<CChar>, options: LoadOptions
  ) throws(EngineError) -> Model {
    let checkpoint = try Checkpoint.open(path: path, packedBlock: PanelFormat.packedBlock)
    let shape = try checkpoint.naming { () throws(EngineError) in
      try Hyperparameters(
        checkpoint, slidingWindow: options.slidingWindow,
        expertsPerToken: options.expertsPerToken)
    }
    let plan = try checkpoint.naming { () throws(EngineError) in
      try WeightPlan(checkpoint, shape, mapsPacked: options.maps)
    }
    try options.log.describe(checkpoint, plan, shape, slidingWindow: options.slidingWindow)
    let tokenizer = try checkpoint.naming { () throws(EngineError) in
      try Tokenizer(checkpoint.tokenizer(rows: plan.vocabulary), rows: plan.vocabulary)
    }
    let rows = options.batch == 0 ? defaultBatch : options.batch
    let workers = Workers(count: options.threads)
    try options.log.describe(tokenizer, workers, asked: options.threads, options.table)
    let scratch = try scratch(plan, shape, rows: rows, threads: workers.count, options)
    try LoadMemory(plan, checkpoint, scratch: scratch.byteCount).check(plan, rows: rows, options)
    let weights = try Weights(
      plan, of: checkpoint, table: options.table, workers: workers, from: options.host,
      progress: options.progress)
    let pass = ForwardPass(
      shape: shape, weights: weights.forPass, table: options.table, workers: workers,
      scratch: scratch)
    return Model(
      checkpoint.metadataText(), tokenizer, pass, weights, workers, options, batch: rows,
      ModelSize(checkpoint: checkpoint, plan: plan, shape: shape, scratch: scratch.byteCount),
      requests: try requestMemory(mostRequests, of: StepRequest.self, from: options.host))
  }

  private init(
    _ metadata: MetadataText, _ tokenizer: Tokenizer, _ pass: ForwardPass, _ weights: Weights,
    _ workers: Workers, _ options: LoadOptions, batch: Int, _ size: ModelSize, requests: Memory
  ) {
    self.metadata = metadata
    self.tokenizer = tokenizer
    self.pass = pass
    self.weights = weights
    self.workers = workers
    self.batch = batch
    self.size = size
    self.requests = requests
    shape = pass.shape
    vocabulary = tokenizer.rows
    table = options.table
    host = options.host
  }

  /// The buffers of a pass; a function of its own, as what it works with is large for a stack.
  @inline(never)
  private static func scratch(
    _ plan: WeightPlan, _ shape: Hyperparameters, rows: Int, threads: Int, _ options: LoadOptions
  ) throws(EngineError) -> Scratch {
    let forms = try plan.productForms()
    let floatsApart = options.table.floatRows.rowBundle > 1 && forms.contains(FormSet(.float))
    return try Scratch(
      try Scratch.Layout(
        shape, vocabulary: plan.vocabulary, rows: rows, threads: threads,
        floatsApart: floatsApart),
      from: options.host)
  }
}

/// Sizes of a model, for `mixtral_model_info`.
package struct ModelSize: Sendable {
  package let fileByteCount: UInt64
  package let weightByteCount: Int
  package let scratchByteCount: Int
  package let cacheByteCountPerPosition: Int
  package let parameters: UInt64
  package let activeParameters: UInt64
  package let tensors: Int
  package let unusedTensors: Int
  package let tiedEmbeddings: Bool

  @inline(never)
  init(checkpoint: Checkpoint, plan: WeightPlan, shape: Hyperparameters, scratch: Int) {
    fileByteCount = checkpoint.byteCount
    weightByteCount = plan.byteCount
    scratchByteCount = scratch
    cacheByteCountPerPosition = shape.layers &* shape.kvHeads &* shape.headWidth &* 4
    // At most 2^20 matrices of at most 2^20 by 2^20 weights (`Hyperparameters`): no overflow.
    var weights = 0
    for matrix in plan.matrices { weights &+= matrix.rows &* matrix.columns }
    for vector in plan.vectors { weights &+= vector.count }
    parameters = UInt64(clamping: weights)
    let expert = shape.hiddenWidth &* shape.feedForwardWidth &* 3
    let idle = max(0, shape.experts &- shape.expertsPerToken)
    activeParameters = UInt64(clamping: weights &- idle &* expert &* shape.layers)
    tensors = checkpoint.tensors.count
    unusedTensors = checkpoint.tensors.count &- plan.usedTensors
    tiedEmbeddings = plan.tiedEmbeddings
  }
}
