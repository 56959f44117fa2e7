// The reference products against Double: decoded weights times dequantised activations, within a
// bound that follows from the definition.
//
// With u = 2^-24, an output of n blocks is one chain of at most 2 n roundings of the running sum,
// and each term is rounded twice before it is added (scale x scale; the integer sum to Float, or
// scale x sum of codes). All else is exact. So |error| <= gamma(2 n + 2) M, gamma(k) = k u / (1 - k
// u), M = the sum of the magnitudes of the terms: of d scale code a and, kept apart because they
// may cancel, of minimum x a. Float types: four chains of n / 4 FMA and two more additions.
import Base
import Kernels
import Quantization
import Support
import Testing

@Suite("reference products against Double")
struct ProductOracleTests {
  /// A row of a file, decoded by way of a panel.
  private func decode(_ row: [UInt8], _ sample: ProductSample) throws -> [Double] {
    let empty = [UInt8](repeating: 0, count: row.count)
    let panel = try ProductSample.pack(
      [row] + Array(repeating: empty, count: 15), sample.format, panels: 1, blocks: sample.blocks)
    var values = [Float](repeating: 0, count: sample.columns)
    panel.withUnsafeBytes { panel in
      values.withUnsafeMutableBufferPointer { out in
        guard let panel = panel.baseAddress, let out = out.baseAddress else { return }
        withUnsafeTemporaryAllocation(
          byteCount: tileByteCount, alignment: 64
        ) { workspace in
          guard let workspace = workspace.baseAddress else { return }
          RowReader(sample.format, .reference).read(
            panel: panel, lane: 0, blocks: sample.blocks, into: out, workspace: workspace)
        }
      }
    }
    return values.map(Double.init)
  }

  /// The parts of each weight whose magnitudes count.
  ///
  /// The weight itself, or what its code brings and what is there without it: the weight of a block
  /// whose codes are all zero.
  private func magnitudes(_ row: [UInt8], _ sample: ProductSample) throws -> [Double] {
    let weights = try decode(row, sample)
    guard let parts = BlockParts.of(sample.format.tensorType), parts.hasMinimum else {
      return weights.map { abs($0) }
    }
    var bare = row
    for block in 0..<sample.blocks {
      for range in parts.codes {
        for i in range { bare[block * parts.byteCount + i] = 0 }
      }
    }
    return try zip(weights, decode(bare, sample)).map { abs($0 - $1) + abs($1) }
  }

  /// A row of activations as the product sees it: code x scale, or the values themselves.
  private func dequantised(_ row: Int, _ sample: ProductSample) -> [Double] {
    let bytes = sample.activations[row * sample.rowByteCount..<(row + 1) * sample.rowByteCount]
    let (columns, byteCount, scaleOffset) =
      switch sample.format.activationForm {
      case .float: (1, 4, 0)
      case .blocks32: (32, 44, 32)
      case .blocks256: (256, 308, 304)
      }
    return Array(bytes).withUnsafeBytes { bytes in
      (0..<sample.columns).map { column in
        let block = column / columns * byteCount
        let scale = bytes.loadUnaligned(fromByteOffset: block + scaleOffset, as: Float.self)
        if sample.format.activationForm == .float { return Double(scale) }
        let code = bytes.loadUnaligned(fromByteOffset: block + column % columns, as: Int8.self)
        return Double(code) * Double(scale)
      }
    }
  }

  @Test("within the derived bound", arguments: PanelType.allCases)
  func bound(type: PanelType) throws {
    for blocks in [1, 2, 3, 8, 17] {
      for (index, shape) in [ActivationSample.random, .largest, .alternating].enumerated() {
        let sample = try ProductSample(
          type, panels: 2, blocks: blocks, rows: 3, weights: .random(scale: 0.02),
          activations: shape, seed: UInt64(blocks * 8 + index) << 8 | UInt64(type.rawValue))
        try check(sample)
      }
    }
  }

  private func check(_ sample: ProductSample) throws {
    let chain =
      sample.format.activationForm == .float ? sample.blocks / 4 + 3 : 2 * sample.blocks + 2
    let k = Double(chain) * 0x1p-24
    let gamma = k / (1 - k)
    let outputs = sample.reference()
    let weights = try sample.file.map { try decode($0, sample) }
    let sizes = try sample.file.map { try magnitudes($0, sample) }
    for row in 0..<sample.rows {
      let a = dequantised(row, sample)
      for output in 0..<sample.file.count {
        // A decoded weight with a minimum is itself rounded once, by half an ulp.
        let exact = zip(weights[output], a).reduce(0) { $0 + $1.0 * $1.1 }
        let size = zip(sizes[output], a).reduce(0) { $0 + $1.0 * abs($1.1) }
        let found = Double(Float(bitPattern: outputs[row][output]))
        let error = abs(found - exact)
        #expect(
          error <= (gamma + 0x1p-24) * size,
          "\(sample.format.panelType), \(sample.blocks) blocks, row \(row), output \(output)")
      }
    }
  }

  @Test("a row of the unit matrix picks a column of weights", arguments: PanelType.allCases)
  func unit(type: PanelType) throws {
    let sample = try ProductSample(
      type, panels: 1, blocks: type.rawValue < 3 ? 40 : 2, rows: 1, weights: .random(scale: 0.02),
      activations: .zero, seed: 0x1d)
    let weights = try sample.file.map { try decode($0, sample) }
    let sizes = try sample.file.map { try magnitudes($0, sample) }
    for column in stride(from: 0, to: sample.columns, by: 7) {
      var x = [Float](repeating: 0, count: sample.columns)
      x[column] = 1
      let activations = ProductSample.quantise(x, sample.format.activationForm)
      var out = [Float](repeating: .nan, count: 16)
      sample.weights.withUnsafeBytes { w in
        activations.withUnsafeBytes { a in
          out.withUnsafeMutableBufferPointer { out in
            guard let w = w.baseAddress, let a = a.baseAddress, let out = out.baseAddress
            else { return }
            sample.product(w, 1, sample.blocks, a, 1, sample.rowByteCount, out, 16)
          }
        }
      }
      for lane in 0..<16 {
        // 127 x (1 / 127) is not quite 1: one rounding more.
        let error = abs(Double(out[lane]) - weights[lane][column])
        #expect(error <= 6 * 0x1p-24 * sizes[lane][column], "column \(column), lane \(lane)")
      }
    }
  }
}
