// The one way of tensors from the files of a model to where they are wanted: read with `pread`
// through small buffers, changed by all threads, placed in memory or written to another file.
//
// Loading and Conversion use it. It is in this room because rows become panels by the plan of the
// weights, which is here, and no room below knows both files and workers. No size overflows, for
// the bounds that PlannedMatrix says.
import Base
import Formats
import Workers

/// Moves tensors, the rows of each shared among the threads; memory is a buffer or two a thread.
package final class TensorStream {
  /// Where bytes go.
  package enum Target {
    /// Memory of the tensor's whole size.
    case memory(UnsafeMutableRawPointer)
    /// A file, from an offset on.
    case file(OutputFile, UInt64)
  }

  /// A tensor, or a slice of one, on its way.
  package struct Tensor {
    /// Where its first row lies.
    package let part: Int
    package let offset: UInt64
    package let rows: Int
    package let rowByteCount: Int
    /// Rows that are changed together into one piece.
    package var rowsInPiece = 1
    /// Bytes of a piece as it arrives, whole also when it has fewer rows.
    package var pieceByteCount: Int
    /// (rows, their count, piece): what is done to them; nil when the bytes stay as they are.
    package var change:
      ((UnsafeRawPointer, Int, UnsafeMutableRawPointer) throws(EngineError) -> Void)?
    package let target: Target

    /// Rows that stay as they are.
    package init(
      part: Int, offset: UInt64, rows: Int, rowByteCount: Int, target: Target
    ) {
      self.part = part
      self.offset = offset
      self.rows = rows
      self.rowByteCount = rowByteCount
      pieceByteCount = rowByteCount
      self.target = target
    }

    /// Pieces that a thread takes at once.
    fileprivate var piecesInUnit: Int {
      max(1, TensorStream.unitByteCount / max(1, rowsInPiece &* rowByteCount))
    }

    fileprivate var pieceCount: Int { wholes(rows, of: rowsInPiece) }

    fileprivate var unitCount: Int { wholes(pieceCount, of: piecesInUnit) }

    /// Groups of `size`, the last of which may have fewer.
    private func wholes(_ count: Int, of size: Int) -> Int {
      (count &+ size &- 1) / max(1, size)
    }

    /// Bytes that it has in its file.
    fileprivate var byteCount: UInt64 { UInt64(clamping: rows &* rowByteCount) }
  }

  /// Bytes that a thread reads at once, unless one piece is larger: what the system copies there is
  /// still in the second-level cache when it is changed.
  fileprivate static let unitByteCount = 1 << 18

  private let source: Checkpoint
  private let workers: Workers
  private let host: HostMemory?
  /// The name of the work, for sentences: "loading".
  private let work: String
  /// A buffer a thread for what is read and is then changed, and for what is written.
  private var inputs: [Memory] = []
  private var outputs: [Memory] = []
  private var current: Tensor?
  private let failure = FirstError()

  /// A stream out of the files of `source`; buffers are the host's, if it gives memory.
  package init(
    from source: Checkpoint, workers: Workers, host: HostMemory? = nil, for work: String
  ) {
    self.source = source
    self.workers = workers
    self.host = host
    self.work = work
  }

  /// Moves `count` tensors, one after another; nil for one that stays where it is.
  ///
  /// `progress` is called on this thread, before each and at the end, with bytes read and in all;
  /// true stops with `.cancelled`. Throws the first error of any thread.
  @export(interface)
  package func run(
    _ count: Int, progress: (UInt64, UInt64) -> Bool = { _, _ in false },
    _ tensor: (Int) throws(EngineError) -> Tensor?
  ) throws(EngineError) {
    var total: UInt64 = 0
    for index in below(count) {
      guard let tensor = try tensor(index) else { continue }
      try makeBuffers(for: tensor)
      total &+= tensor.byteCount
    }
    var done: UInt64 = 0
    for index in below(count) {
      guard let tensor = try tensor(index) else { continue }
      if progress(done, total) {
        throw EngineError(.cancelled, "\(work) was stopped by the progress callback")
      }
      try move(tensor)
      done &+= tensor.byteCount
    }
    _ = progress(total, total)
  }

  private func makeBuffers(for tensor: Tensor) throws(EngineError) {
    let pieces = min(tensor.piecesInUnit, tensor.pieceCount)
    if tensor.change != nil {
      try grow(
        &inputs, to: pieces &* tensor.rowsInPiece &* tensor.rowByteCount, "reading the weights")
    }
    if case .file = tensor.target {
      try grow(&outputs, to: pieces &* tensor.pieceByteCount, "writing the weights")
    }
  }

  private func grow(
    _ buffers: inout [Memory], to byteCount: Int, _ purpose: String
  ) throws(EngineError) {
    if let first = buffers.first, first.byteCount >= byteCount { return }
    buffers = []
    for _ in below(workers.count) {
      buffers.append(try Memory.allocated(byteCount: byteCount, for: purpose, from: host))
    }
  }

  private func move(_ tensor: Tensor) throws(EngineError) {
    current = tensor
    workers.run(tensor.unitCount, Unmanaged.passUnretained(self).toOpaque()) {
      context, unit, worker in
      Unmanaged<TensorStream>.fromOpaque(context).takeUnretainedValue().moveUnit(unit, worker)
    }
    try failure.check()
  }

  /// Moves one unit of the current tensor.
  private func moveUnit(_ unit: Int, _ worker: Int) {
    guard let tensor = current else { return }
    failure.attempt { () throws(EngineError) in try move(unit, of: tensor, worker) }
  }

  private func move(_ unit: Int, of tensor: Tensor, _ worker: Int) throws(EngineError) {
    let first = unit &* tensor.piecesInUnit
    let pieces = min(tensor.piecesInUnit, tensor.pieceCount &- first)
    let start = first &* tensor.pieceByteCount
    switch tensor.target {
    case .memory(let memory): try fill(memory + start, first, pieces, of: tensor, worker)
    case .file(let file, let offset):
      let output = try outputs.at(worker).base
      try fill(output, first, pieces, of: tensor, worker)
      try file.write(
        UnsafeRawBufferPointer(start: output, count: pieces &* tensor.pieceByteCount),
        at: offset &+ UInt64(clamping: start))
    }
  }

  /// Makes `pieces` pieces from the piece `first` on.
  private func fill(
    _ out: UnsafeMutableRawPointer, _ first: Int, _ pieces: Int, of tensor: Tensor, _ worker: Int
  ) throws(EngineError) {
    let firstRow = first &* tensor.rowsInPiece
    let rows = min(pieces &* tensor.rowsInPiece, tensor.rows &- firstRow)
    let input = tensor.change == nil ? out : try inputs.at(worker).base
    try source.read(
      into: UnsafeMutableRawBufferPointer(start: input, count: rows &* tensor.rowByteCount),
      part: tensor.part,
      at: tensor.offset &+ UInt64(clamping: firstRow &* tensor.rowByteCount))
    guard let change = tensor.change else { return }
    for piece in below(pieces) {
      let row = piece &* tensor.rowsInPiece
      try change(
        input + row &* tensor.rowByteCount, min(tensor.rowsInPiece, rows &- row),
        out + piece &* tensor.pieceByteCount)
    }
  }
}
