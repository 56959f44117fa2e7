// The random numbers against a list made from the published algorithm by another language.

import Sampling
import Testing

@Suite struct SplitMix64Tests {
  @Test("the numbers are those of the published algorithm; N13: seeds 0 and 2^64-1 are valid")
  func publishedNumbers() throws {
    let lines = try goldenLines("splitmix64.txt")
    #expect(lines.count == 9)
    for line in lines {
      let numbers = line.compactMap { UInt64($0) }
      var random = SplitMix64(seed: numbers[0])
      #expect(numbers.dropFirst().map { _ in random.next() } == Array(numbers.dropFirst()))
      var fractions = SplitMix64(seed: numbers[0])
      for number in numbers.dropFirst() {
        #expect(fractions.nextFraction() == Double(number >> 11) / 9_007_199_254_740_992)
      }
    }
  }

  @Test("the draws are the published numbers' fractions, walked from the likeliest token down")
  func drawsFollowTheNumbers() throws {
    let logits = randomLogits(50, spread: 1.5, seed: 3)
    let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
    let probabilities = softmax(logits)
    for line in try goldenLines("splitmix64.txt") {
      let numbers = line.compactMap { UInt64($0) }
      var sampler = try Sampler(
        options {
          $0.temperature = 1; $0.seed = numbers[0]
        })
      for number in numbers.dropFirst() {
        var left = Double(number >> 11) / 9_007_199_254_740_992
        let expected = order.first { token in
          left -= probabilities[token]
          return left < 0
        }
        let token = try sampler.draw(logits)
        #expect(Int(token) == expected)
      }
    }
  }
}
