// Blocks of every type, packed into panels and read back, against what the `gguf` package reads in
// the same bytes. Made by Tests/Oracle/blocks/make_blocks.py.
import Base
import Formats
import Kernels
import KernelsReference
import Quantization
import Support
import Testing

/// A type's golden rows.
private struct Golden {
  static let rows = 20

  let format: PanelFormat
  let raw: [UInt8]
  let values: [Float]

  init(_ type: TensorType) throws {
    format = try #require(PanelFormat.of(type))
    let folder = repositoryPath("Tests/Oracle/blocks/")
    raw = try fileBytes(folder + type.name + ".blocks")
    let bytes = try fileBytes(folder + type.name + ".values")
    values = bytes.withUnsafeBytes { buffer in
      (0..<buffer.count / 4).map {
        Float(bitPattern: buffer.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self))
      }
    }
    try #require(raw.count % Self.rows == 0 && values.count % Self.rows == 0)
    try #require(columns % format.columns == 0)
    try #require(rowByteCount == blocks * format.fileBlockByteCount)
  }

  var columns: Int { values.count / Self.rows }
  var rowByteCount: Int { raw.count / Self.rows }
  var blocks: Int { columns / format.columns }
  var panelByteCount: Int { blocks * format.panelBlockByteCount }

  /// Packs the rows from `rows`, `stride` bytes apart, into panels guarded on `side`, each by
  /// itself.
  func packed(
    _ rows: UnsafeRawPointer, stride: Int, _ side: GuardedBuffer.Side
  ) throws -> [GuardedBuffer] {
    try Swift.stride(from: 0, to: Self.rows, by: panelRows).map { first in
      let panel = try GuardedBuffer(byteCount: panelByteCount, guarding: side)
      try format.pack(
        rows: rows + first * stride, rowStride: stride,
        rowCount: min(panelRows, Self.rows - first), blocks: blocks, into: panel.base)
      return panel
    }
  }

  /// A row read back into guarded memory.
  func decoded(_ panel: GuardedBuffer, lane: Int, _ side: GuardedBuffer.Side) throws -> [Float] {
    let out = try GuardedBuffer(byteCount: columns * 4, guarding: side)
    let workspace = try GuardedBuffer(byteCount: tileByteCount)
    RowReader(format, .reference).read(
      panel: panel.base, lane: lane, blocks: blocks, into: out.floats, workspace: workspace.base)
    return (0..<columns).map { out.floats[$0] }
  }

  func expected(row: Int) -> ArraySlice<Float> { values[row * columns..<(row + 1) * columns] }
}

private let types = PanelFormat.formats.map(\.tensorType)

@Suite("golden blocks")
struct GoldenBlockTests {
  @Test("every type with kernels has golden blocks")
  func everyType() throws {
    #expect(types.count == PanelType.allCases.count)
    for type in types { _ = try Golden(type) }
  }

  /// Both sides do the same few float operations on exact products: d x scale has at most 11 + 8
  /// bits, times a code at most 24, so only the last addition rounds, and it rounds the same sum.
  @Test("packed rows decode to the bits of the gguf package", arguments: types)
  func decode(type: TensorType) throws {
    let golden = try Golden(type)
    for side in GuardedBuffer.Side.allCases {
      let rows = try GuardedBuffer(golden.raw, guarding: side)
      let panels = try golden.packed(rows.base, stride: golden.rowByteCount, side)
      for row in 0..<Golden.rows {
        let found = try golden.decoded(panels[row / panelRows], lane: row % panelRows, side)
        for (column, pair) in zip(found, golden.expected(row: row)).enumerated()
        where pair.0.bitPattern != pair.1.bitPattern {
          // A zero may differ in sign: -0 x code 0 against 0 - 0.
          if pair.0 == 0, pair.1 == 0 { continue }
          Issue.record("row \(row), column \(column): \(pair.0), gguf says \(pair.1)")
          return
        }
      }
    }
  }

  @Test("lanes without a row stay zero", arguments: types)
  func emptyLanes(type: TensorType) throws {
    let golden = try Golden(type)
    let rows = try GuardedBuffer(golden.raw)
    let panels = try golden.packed(rows.base, stride: golden.rowByteCount, .end)
    // Q6_K's and its like's code 0 is -32: the scale of zero makes the value -0.
    for lane in Golden.rows % panelRows..<panelRows {
      #expect(
        try golden.decoded(panels[1], lane: lane, .end).allSatisfy { $0 == 0 }, "lane \(lane)")
    }
  }

  @Test("rows may lie at any address and any distance", arguments: types)
  func unaligned(type: TensorType) throws {
    let golden = try Golden(type)
    let rows = try GuardedBuffer(golden.raw)
    let expected = try golden.packed(rows.base, stride: golden.rowByteCount, .end)
    for offset in 1...3 {
      let stride = golden.rowByteCount + offset
      let moved = try GuardedBuffer(byteCount: Golden.rows * stride)
      for row in 0..<Golden.rows {
        (moved.base + (offset + row * stride)).copyMemory(
          from: rows.base + row * golden.rowByteCount, byteCount: golden.rowByteCount)
      }
      let panels = try golden.packed(moved.base + offset, stride: stride, .end)
      for (panel, other) in zip(panels, expected) {
        let same = (0..<golden.panelByteCount).allSatisfy {
          panel.base.load(fromByteOffset: $0, as: UInt8.self)
            == other.base.load(fromByteOffset: $0, as: UInt8.self)
        }
        #expect(same, "offset \(offset)")
      }
    }
  }

  @Test("packing a row fills its own lane and no other", arguments: types)
  func lanesApart(type: TensorType) throws {
    let golden = try Golden(type)
    let rows = try GuardedBuffer(golden.raw)
    for count in [1, 2, 15, 16] {
      let panel = try GuardedBuffer(byteCount: golden.panelByteCount)
      try golden.format.pack(
        rows: rows.base, rowStride: golden.rowByteCount, rowCount: count, blocks: golden.blocks,
        into: panel.base)
      for lane in 0..<panelRows {
        let found = try golden.decoded(panel, lane: lane, .end)
        let same =
          lane < count
          ? zip(found, golden.expected(row: lane)).allSatisfy { $0 == $1 }
          : found.allSatisfy { $0 == 0 }
        #expect(same, "\(count) rows, lane \(lane)")
      }
    }
  }

  @Test("sizes are those of the file format and of the drawn panel layout", arguments: types)
  func sizes(type: TensorType) throws {
    let format = try #require(PanelFormat.of(type))
    #expect(format.columns == type.weightsPerBlock)
    #expect(format.fileBlockByteCount == type.bytesPerBlock)
    // A panel holds sixteen rows; only the six-bit scales and Q3_K's take more room than in the
    // file.
    #expect(format.panelBlockByteCount >= 16 * format.fileBlockByteCount)
    #expect(format.panelBlockByteCount <= 16 * (format.fileBlockByteCount + 4))
  }
}
