// The values of panels: every table gives the bits of the reference, whose values are those of the
// `gguf` package (QuantizationTests, golden blocks), and writes nothing else.
import Kernels
import Quantization
import Support
import Testing

@Suite("tiles of every table")
struct TileTests {
  /// The values of the first `blocks` blocks of a sample, with canaries around them.
  private func tile(
    _ table: KernelTable, _ sample: ProductSample, blocks: Int, _ placement: Placement
  ) throws -> (values: [UInt32], isApart: Bool) {
    let canary: UInt32 = 0x7fab_cdef
    let byteCount = blocks * sample.format.panelBlockByteCount
    let weights = try placement.place(sample.weights[..<byteCount])
    let count = blocks * sample.format.columns * panelRows
    let out = try GuardedBuffer(byteCount: (16 + count + 16) * 4)
    for i in 0..<count + 32 { out.floats[i] = Float(bitPattern: canary) }
    table.tile(sample.format.panelType)(weights.start, blocks, out.floats + 16)
    let apart = out.bits(count: 16) + out.bits(16 + count, count: 16)
    return (out.bits(16, count: count), apart.allSatisfy { $0 == canary })
  }

  @Test("the reference's bits, and nothing beside them", arguments: PanelType.allCases)
  func bits(type: PanelType) throws {
    let samples: [BlockSample] = [
      .random(scale: 0.02), .filled(0x00, 0), .filled(0x00, -0.0), .filled(0xff, 1),
      .filled(0x7f, -1), .filled(0x80, .greatestFiniteMagnitude),
      .filled(0xa5, -.leastNonzeroMagnitude),
    ]
    for (index, weights) in samples.enumerated() {
      let sample = try ProductSample(
        type, panels: 1, blocks: 5, rows: 1, weights: weights, activations: .zero,
        seed: UInt64(index) << 8 | UInt64(type.rawValue))
      for blocks in [0, 1, 2, 5] {
        let expected = try tile(.reference, sample, blocks: blocks, .beforeGuard)
        #expect(expected.isApart)
        for table in Tables.all {
          for placement in Placement.allCases {
            let found = try tile(table, sample, blocks: blocks, placement)
            #expect(
              found.values == expected.values && found.isApart,
              "\(table.name), \(weights), \(blocks) blocks, \(placement)")
          }
        }
      }
    }
  }

  @Test("a tile is the panel of F32 with the same values", arguments: PanelType.allCases)
  func panel(type: PanelType) throws {
    let sample = try ProductSample(
      type, panels: 1, blocks: 3, rows: 1, weights: .random(scale: 0.02), activations: .random,
      seed: 0x711e)
    let first = try tile(.reference, sample, blocks: 3, .beforeGuard)
    let columns = sample.columns
    // Row by row by the reader of rows, packed as F32.
    let workspace = try GuardedBuffer(byteCount: tileByteCount)
    let panel = try GuardedBuffer(sample.weights)
    for table in Tables.all {
      let reader = RowReader(sample.format, table)
      for lane in 0..<panelRows {
        let row = try GuardedBuffer(byteCount: columns * 4)
        reader.read(
          panel: panel.base, lane: lane, blocks: 3, into: row.floats, workspace: workspace.base)
        let found = (0..<columns).map { row.floats[$0].bitPattern }
        let expected = (0..<columns).map { first.values[$0 * panelRows + lane] }
        #expect(found == expected, "\(table.name), lane \(lane)")
      }
    }
  }

  @Test("scales that are not finite make values that are not", arguments: PanelType.allCases)
  func notFinite(type: PanelType) throws {
    for scale in [Float16.infinity, -.infinity, .nan] {
      let sample = try ProductSample(
        type, panels: 1, blocks: 2, rows: 1, weights: .filled(0x11, scale), activations: .zero,
        seed: 7)
      for table in Tables.all {
        let found = try tile(table, sample, blocks: 2, .afterGuard)
        #expect(
          found.values.allSatisfy { !Float(bitPattern: $0).isFinite }, "\(table.name), \(scale)")
      }
    }
  }
}
