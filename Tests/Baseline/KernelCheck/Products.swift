// Products and values of panels of every type.
import Kernels

/// Panels of one type: where the half-precision values of a block begin, and what it multiplies.
private struct Layout {
  var columns = 1
  var byteCount: Int
  var halves: Int
  var form = ActivationForm.float

  static func of<Block: PanelBlock>(_ block: Block.Type) -> Layout {
    Layout(
      columns: Block.columns, byteCount: Block.byteCount,
      halves: Block.tail + Block.scaleByteCount * panelRows,
      form: Block.columns == 32 ? .blocks32 : .blocks256)
  }

  static func of(_ type: PanelType) -> Layout {
    switch type {
    case .f32: Layout(byteCount: 64, halves: 64)
    case .f16, .bf16: Layout(byteCount: 32, halves: 0)
    case .q4_0: of(PanelQ4_0.self)
    case .q4_1: of(PanelQ4_1.self)
    case .q5_0: of(PanelQ5_0.self)
    case .q5_1: of(PanelQ5_1.self)
    case .q8_0: of(PanelQ8_0.self)
    case .q2_K: of(PanelQ2_K.self)
    case .q3_K: of(PanelQ3_K.self)
    case .q4_K: of(PanelQ4_K.self)
    case .q5_K: of(PanelQ5_K.self)
    case .q6_K: of(PanelQ6_K.self)
    case .iq4_NL: of(PanelIQ4_NL.self)
    case .iq4_XS: of(PanelIQ4_XS.self)
    }
  }

  /// `count` blocks: bytes of `byte`, or random ones, with random halves or all `half`.
  func blocks(
    _ type: PanelType, _ count: Int, _ fill: (UInt8, UInt16)?, _ random: inout Random
  )
    -> Guarded
  {
    let memory = Guarded.bytes(count * byteCount)
    for i in 0..<memory.byteCount {
      let byte = fill?.0 ?? UInt8(truncatingIfNeeded: random.next())
      memory.base.storeBytes(of: byte, toByteOffset: i, as: UInt8.self)
    }
    for block in 0..<count {
      for i in stride(from: block * byteCount + halves, to: (block + 1) * byteCount, by: 2) {
        // 2^-10 to 1 in half precision, of either sign; as bfloat16 2^-53 to 2^-30.
        let bits = UInt16.random(in: 0x1400...0x3c00, using: &random)
        let half = fill?.1 ?? (bits | UInt16(truncatingIfNeeded: random.next()) & 0x8000)
        memory.base.storeBytes(of: half, toByteOffset: i, as: UInt16.self)
      }
    }
    if type == .f32 {
      for i in 0..<memory.byteCount / 4 {
        memory.floats[i] = fill.map { Float(Float16(bitPattern: $0.1)) } ?? random.float(0.02)
      }
    }
    return memory
  }
}

/// How the activations of a sample look: random, zero, or the largest sums that can be.
private enum Shape: CaseIterable { case random, zero, largest, smallest, alternating }

/// Weights, activations and the reference's outputs.
private struct Sample {
  let type: PanelType
  let panels: Int
  let blocks: Int
  let rows: Int
  let rowByteCount: Int
  let layout: Layout
  let weights: Guarded
  let activations: Guarded
  let expected: Guarded

  init(
    _ type: PanelType, panels: Int, blocks: Int, rows: Int, _ fill: (UInt8, UInt16)?,
    _ shape: Shape, _ random: inout Random
  ) {
    let layout = Layout.of(type)
    (self.type, self.panels, self.blocks, self.rows) = (type, panels, blocks, rows)
    self.layout = layout
    weights = layout.blocks(type, panels * blocks, fill, &random)
    let columns = blocks * layout.columns
    rowByteCount = layout.form.rowByteCount(columns: columns)
    activations = Guarded.bytes(rows * rowByteCount)
    let reference = referenceTable()
    for row in 0..<rows {
      let values = Guarded.bytes(columns * 4)
      for i in 0..<columns {
        values.floats[i] =
          switch shape {
          case .random: random.float(1)
          case .zero: 0
          case .largest: 3
          case .smallest: -3
          case .alternating: i % 2 == 0 ? 3 : -3
          }
      }
      let out = activations.base + row * rowByteCount
      switch layout.form {
      case .float: out.copyMemory(from: values.base, byteCount: columns * 4)
      case .blocks32: reference.quantize32(values.floats, blocks, out)
      case .blocks256: reference.quantize256(values.floats, blocks, out)
      }
    }
    expected = Guarded.bytes(rows * panels * 64)
    reference.product(type)(
      weights.base, panels, blocks, activations.base, rows, rowByteCount, expected.floats,
      panels * 16)
  }

  /// Whether a table has the reference's outputs of some panels and rows, and writes no others.
  func agrees(_ table: KernelTable, panels: Int, rows: Int) -> Bool {
    let stride = panels * 16 + 16
    let out = Guarded.bytes(rows * stride * 4)
    for i in 0..<rows * stride { out.floats[i] = 12345 }
    table.product(type)(
      weights.base, panels, blocks, activations.base, rows, rowByteCount, out.floats, stride)
    for row in 0..<rows {
      for i in 0..<stride {
        let value = i < panels * 16 ? expected.floats[row * self.panels * 16 + i] : 12345
        if !same(out.floats[row * stride + i], value) { return false }
      }
    }
    return true
  }

  /// The values of the first panel.
  func values(_ table: KernelTable) -> Guarded {
    let out = Guarded.bytes(blocks * layout.columns * 64)
    table.tile(type)(weights.base, blocks, out.floats)
    return out
  }
}

func checkProducts(_ tables: [KernelTable], _ check: inout Check) {
  var random = Random(state: 1)
  for type in PanelType.allCases {
    // More than the 1024 columns and the 32 rows from which on codes are spread (CodePanels.swift).
    for blocks in [0, 1, 2, 3, 5, 8] + (Layout.of(type).columns == 256 ? [] : [33]) {
      let sample = Sample(type, panels: 3, blocks: blocks, rows: 37, nil, .random, &random)
      for table in tables {
        for panels in 1...3 {
          for rows in [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 32, 37] {
            check.expect(
              sample.agrees(table, panels: panels, rows: rows), table,
              "\(type.rawValue): \(blocks) blocks, \(panels) panels, \(rows) rows")
          }
        }
        check.expect(
          sample.values(table).hasFloats(of: sample.values(referenceTable())), table,
          "values of \(type.rawValue)")
      }
    }
    // Halves of 0, 1, -1, the largest, the smallest, infinity and NaN.
    let fills: [(UInt8, UInt16)] = [
      (0x00, 0), (0x00, 0x3c00), (0xff, 0x3c00), (0x7f, 0xbc00), (0x80, 0x3c00), (0xff, 0x7bff),
      (0xff, 0x8001), (0x11, 0x7c00), (0x11, 0x7e00),
    ]
    for fill in fills {
      for shape in Shape.allCases {
        let sample = Sample(type, panels: 2, blocks: 2, rows: 5, fill, shape, &random)
        for table in tables {
          for rows in [1, 2, 5] {
            check.expect(
              sample.agrees(table, panels: 2, rows: rows), table,
              "\(type.rawValue): bytes \(fill.0), halves \(fill.1), \(rows) rows")
          }
          check.expect(
            sample.values(table).hasFloats(of: sample.values(referenceTable())), table,
            "values of \(type.rawValue): bytes \(fill.0), halves \(fill.1)")
        }
      }
    }
  }
}

/// Row bundles of floats (`FloatRows`).
func checkBundles(_ tables: [KernelTable], _ check: inout Check) {
  var random = Random(state: 2)
  for type in [PanelType.f32, .f16, .bf16] {
    for (columns, count) in [(1024, 24), (1025, 12), (2051, 29), (3, 300), (64, 280)] {
      let sample = Sample(type, panels: 2, blocks: columns, rows: count, nil, .random, &random)
      for table in tables {
        let rows = table.floatRows.bundled(count)
        guard rows > 0, let product = table.bundledProduct(type) else { continue }
        let activations = Guarded.bytes(rows * columns * 4)
        for row in 0..<rows {
          table.floatRows.place(
            sample.activations.floats + row * columns, columns: columns, row: row, of: count,
            activations.floats, stride: columns)
        }
        let workspace = Guarded.bytes(FloatRows.workspaceByteCount)
        let out = Guarded.bytes(rows * 32 * 4)
        product(
          sample.weights.base, 2, columns, activations.base, rows, out.floats, 32, workspace.base)
        check.expect(
          out.hasFloats(of: sample.expected), table,
          "bundles of \(type.rawValue): \(columns) columns, \(count) rows")
      }
    }
  }
}
