// Models that outlive every input: what programs of calls and saved states work with.
import CMixtral
import Support

/// Two models' files, each loaded twice, with other kernels and threads.
enum Group {
  static let vocabulary = 40
  static let sources = [
    TinyModel(
      layers: 1, hidden: 32, heads: 2, feedForward: 32, experts: 2, used: 1, vocabulary: 40,
      context: 150),
    TinyModel(
      layers: 2, hidden: 32, heads: 2, kvHeads: 1, feedForward: 32, experts: 0, vocabulary: 40,
      context: 300, window: 5),
  ]
  nonisolated(unsafe) static let models: [[OpaquePointer]] = sources.map { tiny in
    let path = "\(SharedMemory.folder)/source.gguf"
    SharedMemory.write(tiny.writer().bytes(), path)
    defer { SharedMemory.remove(path) }
    return [(MIXTRAL_ISA_AUTO, 1), (MIXTRAL_ISA_REFERENCE, 2)].map { isa, threads in
      var model: OpaquePointer?
      var options = Loading(isa: isa).options
      options.threads = UInt32(threads)
      options.batch = UInt32(threads * 3)
      check(lasting { mixtral_load(&model, path, &options) }, "mixtral_load")
      guard let model else { finding("no model") }
      return model
    }
  }
}
