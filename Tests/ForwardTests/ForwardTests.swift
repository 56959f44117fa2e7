// The pass by itself: the paper's formulas in Double are its oracle, and an impossible state is a
// fault and not a wrong result.
import Forward
import Foundation
import Testing

/// The layer in Double, written from the papers.
private func expected(_ lone: LonePass, _ tokens: [Int32]) -> [Double] {
  func norm(_ x: [Double]) -> [Double] {
    let mean = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
    return x.map { $0 / (mean + Double(lone.shape.normEpsilon)).squareRoot() }
  }
  func rotated(_ head: [Double], _ position: Int) -> [Double] {
    var out = head
    for pair in 0..<head.count / 2 {
      let angle =
        Double(position)
        * pow(Double(lone.shape.ropeBase), -2 * Double(pair) / Double(head.count))
      let (a, b) = (head[2 * pair], head[2 * pair + 1])
      out[2 * pair] = a * cos(angle) - b * sin(angle)
      out[2 * pair + 1] = a * sin(angle) + b * cos(angle)
    }
    return out
  }
  let stream = tokens.map { lone.embedding.values[Int($0)].map(Double.init) }
  let keys = stream.enumerated().map { rotated(lone.key.times(norm($1)), $0) }
  let values = stream.map { lone.value.times(norm($0)) }
  let last = tokens.count - 1
  let queries = lone.query.times(norm(stream[last]))
  var attended: [Double] = []
  for head in 0..<3 {
    let width = LonePass.headWidth
    let query = rotated(Array(queries[head * width..<(head + 1) * width]), last)
    let weights = keys.map { key in
      exp(zip(query, key).reduce(0) { $0 + $1.0 * $1.1 } / Double(width).squareRoot())
    }
    let sum = weights.reduce(0, +)
    for column in 0..<width {
      attended.append(zip(weights, values).reduce(0) { $0 + $1.0 * $1.1[column] } / sum)
    }
  }
  var x = zip(stream[last], lone.attentionOutput.times(attended)).map { $0 + $1 }
  let normed = norm(x)
  let gated = zip(lone.gate.times(normed), lone.up.times(normed)).map { $0 / (1 + exp(-$0)) * $1 }
  x = zip(x, lone.down.times(gated)).map { $0 + $1 }
  return lone.output.times(norm(x))
}

@Suite("the pass by itself")
struct ForwardTests {
  @Test("is the paper's, within the rounding of an F16 cache", arguments: [1, 2])
  func formulas(threads: Int) throws {
    let lone = try LonePass(threads: threads)
    let tokens = (0..<60).map { Int32($0 * 7 % LonePass.vocabulary) }
    let found = lone.logits(tokens)
    #expect(lone.pass.takeFault() == nil)
    let wanted = expected(lone, tokens)
    let largest = zip(found, wanted).map { abs(Double($0) - $1) }.max() ?? .infinity
    // Keys and values of about 1 are rounded to 11 bits; the logits are sums of 24 products.
    #expect(largest < 0.004, "\(largest)")
    #expect(wanted.map(abs).max() ?? 0 > 0.5)
  }

  @Test("a page that is missing is a fault, once")
  func missingPage() throws {
    let lone = try LonePass(threads: 2)
    let good = lone.logits([1, 2, 3])
    // Positions 64 and up lie in the second page, which the table has not.
    _ = lone.logits((0..<70).map { Int32($0 % 40) })
    #expect(lone.pass.takeFault() == .missingPage)
    #expect(lone.pass.takeFault() == nil)
    #expect(lone.logits([1, 2, 3]) == good)
    #expect(lone.pass.takeFault() == nil)
  }
}
