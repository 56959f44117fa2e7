// Loading and describing models.
import Base
import CMixtral
import Conversion
import Formats
import Forward
import Kernels
import Model
import Platform
import Text

@c @implementation
public func mixtral_load(
  _ model: UnsafeMutablePointer<OpaquePointer?>?, _ path: UnsafePointer<CChar>?,
  _ options: UnsafePointer<mixtral_load_options>?
) -> mixtral_status {
  model?.pointee = nil
  return call { () throws(EngineError) in
    let model = try need(model, "the pointer to the model")
    let path = try need(path, "path")
    let given = try Mixtral.options(options, mixtral_load_options(), "mixtral_load_options")
    // Before there is something that it could refuse to take.
    let handles = HandleTable.shared
    let loaded = try Model.load(path: path, options: try loadOptions(given))
    model.pointee = try handles.add(loaded)
  }
}

private func loadOptions(_ given: mixtral_load_options) throws(EngineError) -> LoadOptions {
  try checkThreads(given.threads)
  guard given.experts_used <= 512 else {
    throw EngineError(.invalidArgument, "experts_used is \(given.experts_used); allowed 0..512")
  }
  guard given.sliding_window >= -1, given.sliding_window <= 1 << 40 else {
    throw EngineError(
      .invalidArgument, "sliding_window is \(given.sliding_window); allowed -1..2^40")
  }
  guard given.batch <= 4096 else {
    throw EngineError(.invalidArgument, "batch is \(given.batch); allowed 0..4096")
  }
  guard given.map <= 1 else {
    throw EngineError(.invalidArgument, "map is \(given.map); allowed 0..1")
  }
  var options = LoadOptions(table: try kernelTable(given.isa))
  options.threads = threads(given.threads)
  options.maps = given.map == 1
  options.expertsPerToken = Int(given.experts_used)
  options.slidingWindow = given.sliding_window
  options.batch = Int(given.batch)
  if let progress = given.progress {
    let user = given.user
    options.progress = { done, total in stops { progress(done, total, user) } }
  }
  options.host = try hostMemory(given)
  options.log.write = log(given)
  return options
}

/// The host's own memory, if it gives it.
private func hostMemory(_ given: mixtral_load_options) throws(EngineError) -> HostMemory? {
  guard given.allocate != nil || given.release != nil else { return nil }
  guard let allocate = given.allocate, let release = given.release else {
    throw EngineError(
      .invalidArgument,
      "\(given.allocate == nil ? "allocate" : "release") is NULL and the other is not; "
        + "allowed both or none")
  }
  // Sendable for the compiler: what it points at is the host's business on every thread.
  let user = UInt(bitPattern: given.user)
  return HostMemory(
    allocate: { size, alignment in
      inAllocator {
        allocate(
          UInt64(clamping: size), UInt64(clamping: alignment),
          UnsafeMutableRawPointer(bitPattern: user))
      }
    },
    release: { block, size in
      inAllocator {
        release(block, UInt64(clamping: size), UnsafeMutableRawPointer(bitPattern: user))
      }
    })
}

private func log(_ given: mixtral_load_options) -> ((LoadLog.Level, String) -> Bool)? {
  guard let log = given.log else { return nil }
  let user = given.user
  return { level, text in
    text.withCString { bytes in
      stops { log(level.rawValue, bytes, UInt64(clamping: text.utf8.count), user) }
    }
  }
}

private func checkThreads(_ count: UInt32) throws(EngineError) {
  guard count <= 512 else {
    throw EngineError(.invalidArgument, "threads is \(count); allowed 0..512")
  }
}

private func threads(_ given: UInt32) -> Int {
  Int(given == 0 ? min(platform_processor_count(), 512) : given)
}

@c @implementation
public func mixtral_model_pack(
  _ target: UnsafePointer<CChar>?, _ source: UnsafePointer<CChar>?,
  _ options: UnsafePointer<mixtral_pack_options>?
) -> mixtral_status {
  call { () throws(EngineError) in
    let target = try need(target, "target")
    let source = try need(source, "source")
    let given = try Mixtral.options(options, mixtral_pack_options(), "mixtral_pack_options")
    try Pack.write(target, of: source, try packOptions(given))
  }
}

private func packOptions(_ given: mixtral_pack_options) throws(EngineError) -> PackOptions {
  try checkThreads(given.threads)
  guard given.overwrite <= 1 else {
    throw EngineError(.invalidArgument, "overwrite is \(given.overwrite); allowed 0..1")
  }
  guard given.reserved == 0 else {
    throw EngineError(.invalidArgument, "reserved is \(given.reserved); allowed 0")
  }
  var options = PackOptions()
  options.threads = threads(given.threads)
  options.replaces = given.overwrite == 1
  if let progress = given.progress {
    let user = given.user
    options.progress = { done, total in stops { progress(done, total, user) } }
  }
  return options
}

@c @implementation
public func mixtral_model_info(
  _ model: OpaquePointer?, _ info: UnsafeMutablePointer<mixtral_info>?
) -> mixtral_status {
  call { () throws(EngineError) in
    let model: Model = try HandleTable.shared.object(model)
    try fill(info, Mixtral.info(model), "mixtral_info")
  }
}

private func info(_ model: Model) -> mixtral_info {
  let shape = model.shape
  var info = mixtral_info()
  info.layers = UInt32(clamping: shape.layers)
  info.hidden_width = UInt32(clamping: shape.hiddenWidth)
  info.heads = UInt32(clamping: shape.heads)
  info.kv_heads = UInt32(clamping: shape.kvHeads)
  info.head_width = UInt32(clamping: shape.headWidth)
  info.feed_forward_width = UInt32(clamping: shape.feedForwardWidth)
  info.experts = UInt32(clamping: shape.experts)
  info.experts_used = UInt32(clamping: shape.expertsPerToken)
  info.vocabulary = UInt32(clamping: model.vocabulary)
  info.context_length = UInt32(clamping: shape.contextLength)
  info.sliding_window = UInt32(clamping: shape.slidingWindow)
  info.bos_token = model.tokenizer.bos
  info.eos_token = model.tokenizer.eos
  info.unknown_token = model.tokenizer.unknown
  info.padding_token = model.tokenizer.padding
  info.threads = UInt32(clamping: model.threads)
  info.isa = UInt32(model.table.instructionSet.number)
  info.batch = UInt32(clamping: model.batch)
  info.tied_embeddings = model.size.tiedEmbeddings ? 1 : 0
  info.rope_base = shape.ropeBase
  info.norm_epsilon = shape.normEpsilon
  info.parameters = model.size.parameters
  info.active_parameters = model.size.activeParameters
  info.file_size = model.size.fileByteCount
  info.weight_size = UInt64(clamping: model.size.weightByteCount)
  info.scratch_size = UInt64(clamping: model.size.scratchByteCount)
  info.cache_size_per_position = UInt64(clamping: model.size.cacheByteCountPerPosition)
  info.tensors = UInt32(clamping: model.size.tensors)
  info.unused_tensors = UInt32(clamping: model.size.unusedTensors)
  return info
}

@c @implementation
public func mixtral_model_stop_tokens(
  _ count: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutablePointer<mixtral_token>?,
  _ capacity: Int, _ model: OpaquePointer?
) -> mixtral_status {
  count?.pointee = 0
  return call { () throws(EngineError) in
    let model: Model = try HandleTable.shared.object(model)
    try writeTokens(model.tokenizer.stopTokens, count, buffer, capacity)
  }
}

@c @implementation
public func mixtral_model_metadata(
  _ size: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ model: OpaquePointer?, _ key: UnsafePointer<CChar>?
) -> mixtral_status {
  size?.pointee = 0
  return call { () throws(EngineError) in
    let model: Model = try HandleTable.shared.object(model)
    let name = key.map { String(cString: $0) }
    guard
      let needed = try model.metadata.write(
        name, into: UnsafeMutableBufferPointer(start: nil, count: 0))
    else {
      throw EngineError(.notFound, "key \(quoted(name ?? "")) is not in the file's metadata")
    }
    guard let out = try outputBuffer(for: needed, size, buffer, capacity) else { return }
    let bytes = UnsafeMutableRawPointer(out).assumingMemoryBound(to: UInt8.self)
    _ = try model.metadata.write(
      name, into: UnsafeMutableBufferPointer(start: bytes, count: needed))
  }
}

/// Writes bytes by the buffer convention.
func writeText(
  _ bytes: [UInt8], _ size: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutablePointer<CChar>?,
  _ capacity: Int
) throws(EngineError) {
  guard let out = try outputBuffer(for: bytes.count, size, buffer, capacity) else { return }
  bytes.withUnsafeBytes { from in
    UnsafeMutableRawBufferPointer(start: out, count: bytes.count).copyMemory(from: from)
  }
}
