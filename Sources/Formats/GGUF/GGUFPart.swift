// A GGUF file: header, metadata, tensor records, and where their bytes lie. Versions 2 and 3 have
// the same layout. Source: ggml-org/ggml `docs/gguf.md`.
import Base

/// A parsed file of a model.
struct GGUFPart {
  let file: InputFile
  let version: UInt32
  let metadata: Metadata
  let tensors: [StoredTensor]

  private static let headerByteCount: UInt64 = 24

  /// Reads everything before the tensor data; `index` is the part's number from 0.
  init(
    file: InputFile, index: Int, _ packedBlock: PackedBlock
  ) throws(EngineError) {
    guard file.byteCount >= Self.headerByteCount else {
      throw file.error(
        .malformed,
        "the file is \(file.byteCount) bytes; a GGUF header needs \(Self.headerByteCount)")
    }
    try Self.checkMagic(file)
    var reader = try CheckedReader(file)
    let _: UInt32 = try reader.integer("the magic")
    version = try Self.version(&reader)
    let (tensorCount, keyCount) = try Self.counts(&reader)
    metadata = try reader.metadata(count: keyCount)
    let alignment = try Self.alignment(metadata, file)
    var records: [TensorRecord] = []
    try reader.reserve(Int(clamping: tensorCount), in: &records, "tensors")
    while records.count < Int(clamping: tensorCount) {
      records.append(try reader.tensorRecord(UInt64(clamping: records.count), packedBlock))
    }
    tensors = try Self.place(
      records, part: index, after: reader.position, alignment: alignment, file)
    self.file = file
    try checkOverlap()
    // A file that was written to meanwhile may have given a header of two halves.
    try file.checkUnchanged()
  }

  private static func checkMagic(_ file: InputFile) throws(EngineError) {
    var bytes = try Growable<UInt8>(filled: 0, count: 24)
    try unsafe file.read(into: bytes.first(24), at: 0)
    let head = try bytes.array()
    if begins(head, "GGUF") { return }
    if begins(head, "FUGG") {
      throw file.error(.unsupported, "the file is a big-endian GGUF; only little-endian is read")
    }
    if let kind = knownKind(head) {
      throw file.error(.malformed, "the file is \(kind), not a GGUF file")
    }
    var digits = ""
    for (index, byte) in head.enumerated() where index < 4 {
      digits += (index == 0 ? "" : " ") + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    throw file.error(.malformed, "the file starts with bytes \(digits); GGUF is 47 47 55 46")
  }

  private static func version(_ reader: inout CheckedReader) throws(EngineError) -> UInt32 {
    let version: UInt32 = try reader.integer("the version")
    if version == 2 || version == 3 { return version }
    if version & 0xffff == 0, version != 0 {
      throw reader.error(
        .unsupported, "the file is a big-endian GGUF; only little-endian is read")
    }
    throw reader.error(
      .unsupported,
      "the GGUF version is \(version); allowed is 2..3"
        + (version == 1 ? " (version 1 was in use for weeks in 2023: convert the model anew)" : ""))
  }

  /// The numbers of tensors and keys, each possible in the bytes left and below its ceiling.
  private static func counts(
    _ reader: inout CheckedReader
  ) throws(EngineError) -> (tensors: UInt64, keys: UInt64) {
    let tensors: UInt64 = try reader.integer("the tensor count")
    let keys: UInt64 = try reader.integer("the key count")
    let left = reader.bytesLeft
    let (tensorBytes, tensorOverflow) = tensors.multipliedReportingOverflow(
      by: TensorRecord.leastByteCount)
    guard !tensorOverflow, tensorBytes <= left else {
      throw reader.error(
        .malformed,
        "the tensor count is \(tensors), at least \(TensorRecord.leastByteCount) bytes each; "
          + "\(left) bytes are left")
    }
    let (keyBytes, keyOverflow) = keys.multipliedReportingOverflow(by: leastKeyByteCount)
    guard !keyOverflow, keyBytes <= left &- tensorBytes else {
      throw reader.error(
        .malformed,
        "the key count is \(keys), at least \(leastKeyByteCount) bytes each; \(left) bytes are "
          + "left for them and \(tensors) tensors")
    }
    guard tensors <= Limits.tensorCount else {
      throw reader.error(
        .limitExceeded, "the tensor count is \(tensors); allowed is 1..\(Limits.tensorCount)")
    }
    guard keys <= Limits.keyCount else {
      throw reader.error(
        .limitExceeded, "the key count is \(keys); allowed is 0..\(Limits.keyCount)")
    }
    return (tensors, keys)
  }

  private static func alignment(
    _ metadata: Metadata, _ file: InputFile
  ) throws(EngineError) -> UInt64 {
    let alignment = try metadata.unsigned("general.alignment", in: Limits.alignment) ?? 32
    guard alignment & (alignment &- 1) == 0 else {
      throw file.error(
        .malformed,
        "key 'general.alignment' is \(alignment); allowed is a power of two in "
          + "\(Limits.alignment.lowerBound)..\(Limits.alignment.upperBound)")
    }
    return alignment
  }

  /// Turns relative offsets into absolute ones, inside the file.
  private static func place(
    _ records: [TensorRecord], part: Int, after header: UInt64, alignment: UInt64, _ file: InputFile
  ) throws(EngineError) -> [StoredTensor] {
    // The header is at most 2^30 bytes, so rounding up cannot wrap.
    let dataStart = (header &+ alignment &- 1) & ~(alignment &- 1)
    guard records.isEmpty || dataStart <= file.byteCount else {
      throw file.error(
        .malformed,
        "the file is truncated: tensor data starts at byte \(dataStart), aligned to \(alignment); "
          + "the file has \(file.byteCount) bytes")
    }
    var tensors: [StoredTensor] = []
    tensors.reserveCapacity(records.count)
    for record in records {
      let offset = record.relativeOffset
      guard offset & (alignment &- 1) == 0 else {
        throw file.error(
          .malformed,
          "the offset of tensor \(quoted(record.name)) is \(offset); allowed is a multiple of "
            + "\(alignment)")
      }
      let room = file.byteCount &- dataStart
      guard offset <= room, UInt64(clamping: record.byteCount) <= room &- offset else {
        throw file.error(
          .malformed,
          "tensor \(quoted(record.name)) needs \(record.byteCount) bytes at offset \(offset) of "
            + "the data; the data has \(room) bytes")
      }
      tensors.append(
        StoredTensor(
          name: record.name, type: record.type, dimensions: record.dimensions, part: part,
          offset: dataStart &+ offset, byteCount: record.byteCount))
    }
    return tensors
  }

  /// Throws when two tensors share bytes.
  ///
  /// ggml's reader goes further and wants every tensor right after the one before, in the order of
  /// the records. Nothing here relies on that: tensors are read one by one, so gaps and any order
  /// are safe, and a writer that aligns tensors to pages, or leaves one out, is still understood.
  private func checkOverlap() throws(EngineError) {
    var order = Growable<Int>()
    try order.reserve(tensors.count)
    for index in tensors.indices { try order.append(index) }
    try order.heapSort(order.count) { a, b throws(EngineError) in
      (try tensors.at(a).offset, a) < (try tensors.at(b).offset, b)
    }
    var place = 1
    while place < order.count {
      let first = try tensors.at(try order.at(place &- 1))
      let second = try tensors.at(try order.at(place))
      place &+= 1
      guard first.offset &+ UInt64(clamping: first.byteCount) <= second.offset else {
        throw file.error(
          .malformed,
          "tensors \(quoted(first.name)) and \(quoted(second.name)) overlap at byte "
            + "\(second.offset)")
      }
    }
  }
}
