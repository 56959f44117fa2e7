// A pass without a model, a file or a session: one dense layer of random plain weights, and pages
// that the test holds itself.
import Base
import Forward
import Kernels
import KernelsReference
import Support
import Workers

/// Random rows of floats, as a matrix in panels of sixteen rows.
struct RandomMatrix {
  let values: [[Float]]
  let panels: UnsafeMutablePointer<Float>

  init(rows: Int, columns: Int, _ random: inout SeededGenerator) {
    var values: [[Float]] = []
    for _ in 0..<rows {
      values.append((0..<columns).map { _ in Float.random(in: -0.5...0.5, using: &random) })
    }
    self.values = values
    panels = .allocate(capacity: (rows + 15) / 16 * 16 * columns)
    for panel in 0..<(rows + 15) / 16 {
      for column in 0..<columns {
        for lane in 0..<16 {
          let row = panel * 16 + lane
          panels[(panel * columns + column) * 16 + lane] = row < rows ? values[row][column] : 0
        }
      }
    }
  }

  var matrix: Matrix {
    let columns = values[0].count
    return Matrix(
      rows: values.count, columns: columns, blocks: columns, panelStride: columns * 64,
      form: .float, panels: UnsafeRawPointer(panels), type: .f32, table: .reference)
  }

  /// The product with a row, in Double.
  func times(_ x: [Double]) -> [Double] {
    values.map { row in zip(row, x).reduce(0.0) { $0 + Double($1.0) * $1.1 } }
  }
}

/// The weights of the layer, and what runs them.
final class LonePass {
  static let width = 24
  static let headWidth = 8
  static let vocabulary = 40

  let shape = Hyperparameters(
    layers: 1, hiddenWidth: width, heads: 3, kvHeads: 1, headWidth: headWidth,
    feedForwardWidth: 40, experts: 0, expertsPerToken: 0, contextLength: 256, slidingWindow: 0,
    ropeBase: 10_000, ropeWidth: headWidth, ropeFactor: 1, normEpsilon: 1e-5)
  let embedding: RandomMatrix
  let query: RandomMatrix
  let key: RandomMatrix
  let value: RandomMatrix
  let attentionOutput: RandomMatrix
  let gate: RandomMatrix
  let up: RandomMatrix
  let down: RandomMatrix
  let output: RandomMatrix
  let pass: ForwardPass
  /// The page table of one session: two pages, of which the second is missing.
  let pages = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 2)
  private let memory: [Memory]

  init(threads: Int) throws {
    var random = SeededGenerator(seed: 0xf0)
    func matrix(_ rows: Int, _ columns: Int) -> RandomMatrix {
      RandomMatrix(rows: rows, columns: columns, &random)
    }
    let width = Self.width
    embedding = matrix(Self.vocabulary, width)
    query = matrix(3 * Self.headWidth, width)
    key = matrix(Self.headWidth, width)
    value = matrix(Self.headWidth, width)
    attentionOutput = matrix(width, 3 * Self.headWidth)
    gate = matrix(40, width)
    up = matrix(40, width)
    down = matrix(width, 40)
    output = matrix(Self.vocabulary, width)
    let ones = UnsafeMutablePointer<Float>.allocate(capacity: 32)
    ones.initialize(repeating: 1, count: 32)
    func list(_ matrix: RandomMatrix) -> UnsafePointer<Matrix> {
      let list = UnsafeMutablePointer<Matrix>.allocate(capacity: 1)
      list.initialize(to: matrix.matrix)
      return UnsafePointer(list)
    }
    let layers = UnsafeMutablePointer<Layer>.allocate(capacity: 1)
    layers.initialize(
      to: Layer(
        attentionNorm: ones, query: query.matrix, key: key.matrix, value: value.matrix,
        output: attentionOutput.matrix, feedForwardNorm: ones, router: nil, gate: list(gate),
        up: list(up), down: list(down), attentionForms: FormSet(.float),
        gateForms: FormSet(.float), downForms: FormSet(.float)))
    let workers = Workers(count: threads)
    let scratch = try Scratch(
      try Scratch.Layout(
        shape, vocabulary: Self.vocabulary, rows: 80, threads: threads, floatsApart: false),
      from: nil)
    let rows = embedding.values
    pass = ForwardPass(
      shape: shape,
      weights: LayerWeights(
        layers: layers, output: output.matrix, outputNorm: ones, ropeFactors: nil,
        embed: { token, out, _ in
          for (i, value) in rows[token].enumerated() { out[i] = value }
        }),
      table: .reference, workers: workers, scratch: scratch)
    let page = try Memory.allocated(
      byteCount: PageLayout(shape, .f16).byteCount, for: "a page of the test", from: nil)
    pages.initialize(to: page.base)
    (pages + 1).initialize(to: nil)
    memory = [page]
  }

  /// Runs the tokens as one pass; the logits after the last one.
  func logits(_ tokens: [Int32]) -> [Float] {
    defer { pass.batch.reset() }
    tokens.withUnsafeBufferPointer {
      pass.batch.add(
        $0, at: 0, SessionPages(table: pages, type: .f16), owner: 0, firstOutput: tokens.count - 1)
    }
    guard pass.run(unless: { false }) else { return [] }
    pass.logits(from: 0, count: 1)
    return (0..<Self.vocabulary).map { pass.scratch.logits.row(0)[$0] }
  }
}
