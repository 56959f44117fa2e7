// Writes tiny GGUF files for tests of every room, good ones by default and any bad one on request:
// what is added is written as it is, unchecked.

import Base
import Formats
import Glibc

/// Collects keys and tensors and writes them as a GGUF file.
///
///     var writer = GGUFWriter()
///     writer.add("general.architecture", .text("llama"))
///     writer.add("llama.block_count", .uint32(2))
///     writer.addTensor("output_norm.weight", .f32, [8], floats: weights)
///     try writer.write(to: path)
package struct GGUFWriter {
  /// A value of the metadata, of one of the 13 types.
  package indirect enum Value {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case bool(Bool)
    case string([UInt8])
    case array(MetadataType, [Value])
    case uint64(UInt64)
    case int64(Int64)
    case float64(Double)
    /// Any type id and payload, for files that are wrong.
    case raw(type: UInt32, [UInt8])

    /// A string.
    package static func text(_ text: String) -> Value { .string(Array(text.utf8)) }
    /// An array of strings.
    package static func texts(_ texts: [String]) -> Value { .array(.string, texts.map(text)) }
    /// An array of single floats.
    package static func floats(_ values: [Float]) -> Value {
      .array(.float32, values.map(Value.float32))
    }
    /// An array of 32-bit integers.
    package static func int32s(_ values: [Int32]) -> Value {
      .array(.int32, values.map(Value.int32))
    }
  }

  /// A tensor as it is written.
  package struct Tensor {
    /// Bytes of the name.
    package var name: [UInt8]
    /// The id of the type.
    package var type: UInt32
    /// The sizes, the contiguous one first.
    package var dimensions: [UInt64]
    /// The tensor's bytes.
    package var bytes: [UInt8]
    /// The offset that the record claims; nil: the true one.
    package var claimedOffset: UInt64?

    /// A tensor with its true offset.
    package init(name: [UInt8], type: UInt32, dimensions: [UInt64], bytes: [UInt8]) {
      (self.name, self.type, self.dimensions, self.bytes) = (name, type, dimensions, bytes)
    }
  }

  /// The version in the header.
  package var version: UInt32 = 3
  /// The first four bytes.
  package var magic = Array("GGUF".utf8)
  /// The alignment of the data; unless it is 32, add "general.alignment" too.
  package var alignment = 32
  /// The counts that the header claims; nil: the true ones.
  package var claimedTensorCount: UInt64?
  /// The keys that the header claims; nil: as many as there are.
  package var claimedKeyCount: UInt64?
  /// The keys, as bytes, with their values, in order.
  package var keys: [(key: [UInt8], value: Value)] = []
  /// The tensors, in order.
  package var tensors: [Tensor] = []

  /// An empty version 3 file.
  package init() {}

  /// Adds a key; one that is there already is written twice.
  package mutating func add(_ key: String, _ value: Value) {
    keys.append((Array(key.utf8), value))
  }

  /// Adds a tensor of raw bytes.
  package mutating func addTensor(
    _ name: String, _ type: TensorType, _ dimensions: [Int], bytes: [UInt8]
  ) {
    tensors.append(
      Tensor(
        name: Array(name.utf8), type: type.rawValue,
        dimensions: dimensions.map { UInt64(truncatingIfNeeded: $0) }, bytes: bytes))
  }

  /// Adds a tensor of single floats.
  package mutating func addTensor(_ name: String, _ dimensions: [Int], floats: [Float]) {
    var builder = ByteBuilder()
    for value in floats { builder.integer(value.bitPattern) }
    addTensor(name, .f32, dimensions, bytes: builder.bytes)
  }

  /// Header, metadata and records, without padding and data.
  package func headerBytes() -> [UInt8] {
    var builder = ByteBuilder()
    builder.bytes += magic
    builder.integer(version)
    builder.integer(claimedTensorCount ?? UInt64(tensors.count))
    builder.integer(claimedKeyCount ?? UInt64(keys.count))
    for (key, value) in keys {
      builder.string(key)
      builder.typed(value)
    }
    var offset: UInt64 = 0
    for tensor in tensors {
      builder.string(tensor.name)
      builder.integer(UInt32(tensor.dimensions.count))
      for size in tensor.dimensions { builder.integer(size) }
      builder.integer(tensor.type)
      builder.integer(tensor.claimedOffset ?? offset)
      offset += UInt64(paddedToAlignment(tensor.bytes.count))
    }
    return builder.bytes
  }

  /// The whole file.
  package func bytes() -> [UInt8] {
    var bytes = headerBytes()
    for tensor in tensors {
      bytes += [UInt8](repeating: 0, count: paddedToAlignment(bytes.count) - bytes.count)
      bytes += tensor.bytes
    }
    // As writers in use do: the last tensor is padded too.
    bytes += [UInt8](repeating: 0, count: paddedToAlignment(bytes.count) - bytes.count)
    return bytes
  }

  /// Writes the whole file.
  package func write(to path: String) throws { try writeFile(bytes(), to: path) }

  /// The model as `count` parts: all keys in the first, tensors dealt out in runs.
  package func parts(_ count: Int) -> [GGUFWriter] {
    let share = (tensors.count + count - 1) / count
    return (0..<count).map { number in
      var part = self
      if number > 0 { part.keys = [] }
      part.tensors = Array(tensors.dropFirst(number * share).prefix(share))
      part.add("split.no", .uint16(UInt16(number)))
      part.add("split.count", .uint16(UInt16(count)))
      part.add("split.tensors.count", .int32(Int32(tensors.count)))
      return part
    }
  }

  /// Writes `<prefix>-00001-of-0000N.gguf` and the others; their paths.
  package func writeParts(_ count: Int, prefix: String) throws -> [String] {
    try parts(count).enumerated().map { number, part in
      let path = Self.partPath(prefix: prefix, number: number + 1, count: count)
      try part.write(to: path)
      return path
    }
  }

  /// The path of part `number`, counted from 1.
  package static func partPath(prefix: String, number: Int, count: Int) -> String {
    func padded(_ value: Int) -> String { String(String(100_000 + value).dropFirst()) }
    return "\(prefix)-\(padded(number))-of-\(padded(count)).gguf"
  }

  private func paddedToAlignment(_ count: Int) -> Int {
    (count + alignment - 1) / alignment * alignment
  }
}

/// Little-endian bytes, front to back.
package struct ByteBuilder {
  /// The bytes written so far.
  package var bytes: [UInt8] = []

  /// Nothing yet.
  package init() {}

  /// Writes an integer.
  package mutating func integer(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  /// Writes a length of 8 bytes and the bytes.
  package mutating func string(_ text: some Collection<UInt8>) {
    integer(UInt64(text.count))
    bytes += text
  }

  /// Writes a value behind its type.
  package mutating func typed(_ value: GGUFWriter.Value) {
    integer(value.typeID)
    payload(value)
  }

  private mutating func payload(_ value: GGUFWriter.Value) {
    switch value {
    case .uint8(let value): integer(value)
    case .int8(let value): integer(value)
    case .uint16(let value): integer(value)
    case .int16(let value): integer(value)
    case .uint32(let value): integer(value)
    case .int32(let value): integer(value)
    case .uint64(let value): integer(value)
    case .int64(let value): integer(value)
    case .float32(let value): integer(value.bitPattern)
    case .float64(let value): integer(value.bitPattern)
    case .bool(let value): integer(value ? UInt8(1) : 0)
    case .string(let value): string(value)
    case .raw(_, let value): bytes += value
    case .array(let type, let values):
      integer(type.rawValue)
      integer(UInt64(values.count))
      for value in values { payload(value) }
    }
  }
}

extension GGUFWriter.Value {
  fileprivate var typeID: UInt32 {
    switch self {
    case .uint8: 0
    case .int8: 1
    case .uint16: 2
    case .int16: 3
    case .uint32: 4
    case .int32: 5
    case .float32: 6
    case .bool: 7
    case .string: 8
    case .array: 9
    case .uint64: 10
    case .int64: 11
    case .float64: 12
    case .raw(let type, _): type
    }
  }
}

/// A system call that a test needed did not work.
package struct SystemFailure: Error {
  /// The call and its argument.
  package let call: String
  /// The reason.
  package let code: Int32

  /// The failure of a call that has just set errno.
  package init(call: String) {
    self.call = call
    code = errno
  }
}

/// Writes a file anew.
package func writeFile(_ bytes: [UInt8], to path: String) throws {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
  guard descriptor >= 0 else { throw SystemFailure(call: "open \(path)") }
  defer { close(descriptor) }
  var done = 0
  while done < bytes.count {
    let count = bytes[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    guard count > 0 else { throw SystemFailure(call: "write \(path)") }
    done += count
  }
}

/// Runs `body` with the path of a new directory, which is removed afterwards with its files.
package func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
  var template = Array("/tmp/mixtral-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw SystemFailure(call: "mkdtemp") }
  let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  defer { removeDirectory(path) }
  return try body(path)
}

private func removeDirectory(_ path: String) {
  guard let directory = opendir(path) else { return }
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    unlink("\(path)/\(name)")
  }
  closedir(directory)
  rmdir(path)
}
