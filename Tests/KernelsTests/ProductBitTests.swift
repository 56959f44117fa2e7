// Every product of every table gives the reference's bits: for all types, numbers of blocks, panels
// and rows, wherever the memory lies, and it touches nothing but what it was given.
//
// The reference is run once a sample, with all panels and rows; that its own outputs do not depend
// on the number of panels and rows is a test of its own.
import Kernels
import Support
import Testing

/// The extents of calls: the first panels and rows of a sample.
private struct Grid {
  static let blocks = Array(0...9) + [15, 16, 17, 31, 32, 33, 37]
  static let panels = [1, 2, 3, 4, 5, 9]
  static let rows = Array(1...9) + [17, 39]
  /// A number that no output has.
  static let canary: UInt32 = 0x7fab_cdef
}

@Suite("products of every table")
struct ProductBitTests {
  /// Runs the first `panels` panels and `rows` rows of a sample and compares with `expected`.
  private func check(
    _ table: KernelTable, _ sample: ProductSample, panels: Int, rows: Int, _ placement: Placement,
    padding: Int, _ expected: [[UInt32]]
  ) throws -> Bool {
    let weights = try placement.place(sample.weights[..<(panels * sample.panelByteCount)])
    // Rows may lie further apart than they are long.
    let stride = sample.rowByteCount + padding
    var bytes: [UInt8] = []
    for row in 0..<rows {
      let start = row * sample.rowByteCount
      bytes += sample.activations[start..<start + sample.rowByteCount]
      if row + 1 < rows { bytes += [UInt8](repeating: 0xa5, count: padding) }
    }
    let activations = try placement.place(bytes[...])
    // Sixteen canaries before, between and after the rows of outputs.
    let outStride = panels * 16 + 16
    let out = try GuardedBuffer(byteCount: (16 + rows * outStride) * 4)
    for i in 0..<16 + rows * outStride { out.floats[i] = Float(bitPattern: Grid.canary) }
    table.product(sample.format.panelType)(
      weights.start, panels, sample.blocks, activations.start, rows, stride, out.floats + 16,
      outStride)
    var same = out.bits(count: 16).allSatisfy { $0 == Grid.canary }
    for row in 0..<rows {
      let start = 16 + row * outStride
      same = same && out.bits(start, count: panels * 16) == Array(expected[row][..<(panels * 16)])
      same = same && out.bits(start + panels * 16, count: 16).allSatisfy { $0 == Grid.canary }
    }
    return same
  }

  @Test("random weights: the reference's bits", arguments: PanelType.allCases)
  func random(type: PanelType) throws {
    var turn = 0
    for blocks in Grid.blocks {
      let sample = try ProductSample(
        type, panels: 9, blocks: blocks, rows: 39, weights: .random(scale: 0.02),
        activations: .random, seed: UInt64(blocks) << 8 | UInt64(type.rawValue))
      let expected = sample.reference()
      for table in Tables.fast {
        for panels in Grid.panels {
          for rows in Grid.rows {
            // Every place is met by every number of rows in the course of the blocks.
            turn += 1
            let placement = Placement.allCases[turn % Placement.allCases.count]
            let same = try check(
              table, sample, panels: panels, rows: rows, placement, padding: turn % 3 * 4, expected)
            #expect(same, "\(table.name), \(blocks) blocks, \(panels) panels, \(rows) rows")
          }
        }
      }
    }
  }

  @Test("row bundles of floats: the reference's bits", arguments: [PanelType.f32, .f16, .bf16])
  func bundled(type: PanelType) throws {
    for (columns, count) in [(1024, 24), (1025, 12), (2051, 29), (3, 300), (64, 800), (1100, 140)] {
      let sample = try ProductSample(
        type, panels: 2, blocks: columns, rows: count, weights: .random(scale: 0.02),
        activations: .random, seed: UInt64(columns))
      let expected = sample.reference()
      for table in Tables.fast {
        let product = try #require(table.bundledProduct(type), "\(table.name)")
        let rows = table.floatRows.bundled(count)
        #expect(rows > count - table.floatRows.rowBundle || count < 2 * table.floatRows.rowBundle)
        let weights = try GuardedBuffer(sample.weights)
        let activations = try GuardedBuffer(byteCount: rows * columns * 4)
        for row in 0..<rows {
          table.floatRows.place(
            sample.values[row], columns: columns, row: row, of: count, activations.floats,
            stride: columns)
        }
        let workspace = try GuardedBuffer(byteCount: FloatRows.workspaceByteCount)
        // Sixteen canaries before, between and after the rows of outputs.
        let stride = 48
        let out = try GuardedBuffer(byteCount: (16 + rows * stride) * 4)
        for i in 0..<16 + rows * stride { out.floats[i] = Float(bitPattern: Grid.canary) }
        product(
          weights.base, 2, columns, activations.base, rows, out.floats + 16, stride, workspace.base)
        var same = out.bits(count: 16).allSatisfy { $0 == Grid.canary }
        for row in 0..<rows {
          let start = 16 + row * stride
          same = same && out.bits(start, count: 32) == expected[row]
          same = same && out.bits(start + 32, count: 16).allSatisfy { $0 == Grid.canary }
        }
        #expect(same, "\(table.name), \(columns) columns, \(count) rows")
      }
    }
  }

  @Test("codes have no product of row bundles, nor has a table without bundles")
  func notBundled() {
    for table in Tables.all {
      for type in PanelType.allCases where table.bundledProduct(type) != nil {
        #expect(table.floatRows.rowBundle > 1 && [.f32, .f16, .bf16].contains(type))
      }
    }
  }

  @Test("rows that are not bundled lie as they are")
  func asTheyAre() {
    let values: [Float] = [1, 2, 3]
    for table in Tables.all {
      let rows = table.floatRows
      let count = 2 * rows.rowBundle + 1
      var out = [Float](repeating: 0, count: 4 * count)
      rows.place(values, columns: 3, row: count - 1, of: count, &out, stride: 4)
      #expect(out == [Float](repeating: 0, count: 4 * (count - 1)) + [1, 2, 3, 0])
      #expect(rows.rowBundle == 1 || rows.bundled(count) == count - 1)
      #expect(rows.bundled(2 * rows.rowBundle - 1) == 0)
    }
  }

  @Test("zeros and extremes: the reference's bits", arguments: PanelType.allCases)
  func extremes(type: PanelType) throws {
    let samples: [BlockSample] = [
      .filled(0x00, 0), .filled(0x00, 1), .filled(0xff, 1), .filled(0x7f, -1), .filled(0x80, 1),
      .filled(0xff, .greatestFiniteMagnitude), .filled(0xff, -.leastNonzeroMagnitude),
    ]
    for (index, weights) in samples.enumerated() {
      for shape in ActivationSample.allCases {
        let sample = try ProductSample(
          type, panels: 3, blocks: 3, rows: 9, weights: weights, activations: shape,
          seed: UInt64(index))
        let expected = sample.reference()
        for table in Tables.fast {
          for rows in [1, 2, 3, 9] {
            let same = try check(
              table, sample, panels: 3, rows: rows, .beforeGuard, padding: 0, expected)
            #expect(same, "\(table.name), \(weights), \(shape), \(rows) rows")
          }
        }
      }
    }
  }

  @Test("every place in memory: the same bits", arguments: PanelType.allCases)
  func places(type: PanelType) throws {
    let sample = try ProductSample(
      type, panels: 2, blocks: 5, rows: 9, weights: .random(scale: 0.02), activations: .random,
      seed: 0x91ace)
    let expected = sample.reference()
    for table in Tables.all {
      for placement in Placement.allCases {
        for rows in [1, 9] {
          let same = try check(
            table, sample, panels: 2, rows: rows, placement, padding: 0, expected)
          #expect(same, "\(table.name), \(placement), \(rows) rows")
        }
      }
    }
  }

  @Test("the reference does not depend on panels and rows", arguments: PanelType.allCases)
  func referenceShapes(type: PanelType) throws {
    for blocks in [0, 1, 3, 7] {
      let sample = try ProductSample(
        type, panels: 3, blocks: blocks, rows: 5, weights: .random(scale: 0.02),
        activations: .random, seed: 0x5ef)
      let expected = sample.reference()
      for panels in 1...3 {
        for rows in 1...5 {
          let same = try check(
            .reference, sample, panels: panels, rows: rows, .beforeGuard, padding: 4, expected)
          #expect(same, "\(blocks) blocks, \(panels) panels, \(rows) rows")
        }
      }
    }
  }

  @Test("no blocks make zeros, no panels and no rows make nothing", arguments: PanelType.allCases)
  func nothing(type: PanelType) throws {
    let sample = try ProductSample(
      type, panels: 2, blocks: 0, rows: 2, weights: .random(scale: 1), activations: .random, seed: 1
    )
    #expect(sample.reference() == Array(repeating: Array(repeating: 0, count: 32), count: 2))
    for table in Tables.all {
      for (panels, rows) in [(0, 2), (2, 0), (0, 0)] {
        let out = try GuardedBuffer(byteCount: 0)
        table.product(type)(out.base, panels, 3, out.base, rows, 0, out.floats, 32)
      }
    }
  }

  @Test(
    "scales that are not finite make outputs that are not", arguments: PanelType.allCases)
  func notFinite(type: PanelType) throws {
    for scale in [Float16.infinity, -.infinity, .nan] {
      let sample = try ProductSample(
        type, panels: 1, blocks: 4, rows: 3, weights: .filled(0x11, scale), activations: .random,
        seed: 7)
      for table in Tables.all {
        let out = try GuardedBuffer(byteCount: 3 * 64)
        let weights = try GuardedBuffer(sample.weights)
        let activations = try GuardedBuffer(sample.activations)
        table.product(type)(
          weights.base, 1, 4, activations.base, 3, sample.rowByteCount, out.floats, 16)
        #expect((0..<48).allSatisfy { !out.floats[$0].isFinite }, "\(table.name), \(scale)")
      }
    }
  }
}
