// What must hold for all logits: symmetry, monotonicity, frequencies, determinism, selection.

import Formats
import Glibc
import Sampling
import Testing

@Suite struct PropertyTests {
  @Test("the same seed gives the same tokens, another seed others")
  func seeds() throws {
    let logits = randomLogits(300, spread: 2, seed: 1)
    func tokens(_ seed: UInt64) throws -> [Int32] {
      var sampler = try Sampler(
        options {
          $0.temperature = 0.9; $0.topP = 0.9; $0.seed = seed
        })
      return try (0..<64).map { _ in try sampler.draw(logits) }
    }
    let first = try tokens(7)
    #expect(try tokens(7) == first)
    #expect(try tokens(8) != first)
  }

  @Test("draws follow the probabilities: chi-square of 50,000 draws", arguments: [0.5, 1, 2.0])
  func frequencies(temperature: Float) throws {
    let logits = randomLogits(24, spread: 1, seed: 5)
    let expected = softmax(logits, temperature: Double(temperature))
    let drawCount = 50_000
    var sampler = try Sampler(
      options {
        $0.temperature = temperature; $0.seed = 99
      })
    var counts = [Int](repeating: 0, count: logits.count)
    for _ in 0..<drawCount { counts[Int(try sampler.draw(logits))] += 1 }
    // Cells that expect fewer than 10 draws are one cell.
    var statistic = 0.0
    var cellCount = 0
    var rest = (observed: 0.0, expected: 0.0)
    for (count, probability) in zip(counts, expected) {
      let mean = probability * Double(drawCount)
      if mean < 10 {
        rest = (rest.observed + Double(count), rest.expected + mean)
      } else {
        statistic += (Double(count) - mean) * (Double(count) - mean) / mean
        cellCount += 1
      }
    }
    if rest.expected > 0 {
      let difference = rest.observed - rest.expected
      statistic += difference * difference / rest.expected
      cellCount += 1
    }
    // Mean n - 1, deviation sqrt(2 (n - 1)): five deviations are far beyond the 99.99th percentile.
    let freedom = Double(cellCount - 1)
    #expect(statistic < freedom + 5 * (2 * freedom).squareRoot())
  }

  @Test("renaming the tokens renames the survivors and changes no probability")
  func permutation() throws {
    let logits = randomLogits(200, spread: 3, seed: 11)
    var random = SplitMix64(seed: 4)
    var order = Array(logits.indices)
    for i in order.indices.reversed() { order.swapAt(i, Int(random.next() % UInt64(i + 1))) }
    let settings = options {
      $0.temperature = 0.8
      $0.topK = 60
      $0.typicalP = 0.9
      $0.topP = 0.95
      $0.minP = 0.01
    }
    var sampler = try Sampler(settings)
    let plain = try sampler.distribution(logits)
    let shuffled = try sampler.distribution(order.map { logits[$0] })
    #expect(shuffled.map { Int32(order[Int($0.token)]) } == plain.map(\.token))
    for (a, b) in zip(plain, shuffled) {
      // Only the order of the sums differs: 200 additions of 2^-53 each, twice.
      #expect(abs(a.probability - b.probability) <= 400 * 0x1p-53)
    }
  }

  @Test("probabilities are those of libm's softmax and sum to 1", arguments: [0.1, 1, 7.5])
  func probabilities(temperature: Float) throws {
    let logits = randomLogits(1000, spread: 4, seed: 21)
    let expected = softmax(logits, temperature: Double(temperature))
    var sampler = try Sampler(options { $0.temperature = temperature })
    let kept = try sampler.distribution(logits)
    #expect(kept.count == 1000)
    for entry in kept {
      let probability = expected[Int(entry.token)]
      #expect(abs(entry.probability - probability) <= 2100 * 0x1p-53 * probability + 0x1p-1060)
    }
    #expect(abs(kept.reduce(0) { $0 + $1.probability } - 1) <= 2000 * 0x1p-53)
  }

  @Test("a stricter filter keeps a subset, and every filter keeps the likeliest or one token")
  func monotonicity() throws {
    let logits = randomLogits(500, spread: 2.5, seed: 31)
    let shares: [Float] = [0.05, 0.2, 0.5, 0.8, 0.95, 0.999, 1]
    let settings: [(Float) -> SamplerOptions] = [
      { share in
        options {
          $0.temperature = 1; $0.topP = share
        }
      },
      { share in
        options {
          $0.temperature = 1; $0.minP = 1.01 - share
        }
      },
      { share in
        options {
          $0.temperature = 1; $0.typicalP = share
        }
      },
      { share in
        options {
          $0.temperature = 1; $0.topK = UInt32(share * 500)
        }
      },
    ]
    for make in settings {
      var previous: Set<Int32> = []
      for share in shares {
        var sampler = try Sampler(make(share))
        let kept = Set(try sampler.distribution(logits).map(\.token))
        #expect(!kept.isEmpty && kept.isSuperset(of: previous))
        previous = kept
      }
    }
  }

  @Test(
    "selection equals a full sort, ties by id, for every k",
    arguments: [1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 31, 33, 64, 101])
  func selection(count: Int) throws {
    var random = SplitMix64(seed: UInt64(count))
    // Few different values, so that ties are everywhere.
    let logits = (0..<count).map { _ in Float(random.next() % 7) }
    let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
    for k in 1...count {
      var sampler = try Sampler(
        options {
          $0.temperature = 1; $0.topK = UInt32(k)
        })
      let kept = try sampler.distribution(logits).map { Int($0.token) }
      #expect(kept == Array(order.prefix(k)))
    }
  }

  @Test("greedy is the first maximum, with and without options that change nothing")
  func greedy() throws {
    for seed in 0..<50 as Range<UInt64> {
      let logits = randomLogits(97, spread: 3, seed: seed).map { $0.rounded() }
      let expected = Int32(try #require(logits.indices.first { logits[$0] == logits.max() }))
      #expect(try Sampler.greedy(logits) == expected)
      var sampler = try Sampler(SamplerOptions())
      #expect(try sampler.draw(logits) == expected)
      var filters = try Sampler(
        options {
          $0.topP = 0.1; $0.topK = 9; $0.repetitionPenalty = 1
        })
      #expect(try filters.draw(logits, history: [expected]) == expected)
    }
  }

  @Test("a vocabulary of 131,072: top-k, top-p and the plain draw agree with a sort")
  func largeVocabulary() throws {
    let logits = randomLogits(131_072, spread: 2, seed: 77)
    let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
    var topK = try Sampler(
      options {
        $0.temperature = 1; $0.topK = 40
      })
    #expect(try topK.distribution(logits).map { Int($0.token) } == Array(order.prefix(40)))
    let probabilities = softmax(logits)
    var sum = 0.0
    let needed = order.prefix { token in
      defer { sum += probabilities[token] }
      return sum < Double(Float(0.95))
    }
    var topP = try Sampler(
      options {
        $0.temperature = 1; $0.topP = 0.95
      })
    #expect(try topP.distribution(logits).map { Int($0.token) } == Array(needed))
    var plain = try Sampler(options { $0.temperature = 1 })
    #expect(try plain.distribution(logits).count == 131_072)
  }

  @Test("one sampler serves vocabularies of many sizes, each as a fresh one would")
  func resizing() throws {
    let settings = options {
      $0.temperature = 1; $0.topP = 0.9; $0.presencePenalty = 1
    }
    var shared = try Sampler(settings)
    for count in [10, 1000, 3, 1000, 5000, 1] {
      let logits = randomLogits(count, spread: 2, seed: UInt64(count))
      var fresh = try Sampler(settings)
      let history = [0, Int32(count) - 1, Int32(count), -1, .max]
      let ours = try shared.distribution(logits, history: history)
      let theirs = try fresh.distribution(logits, history: history)
      #expect(ours.map(\.token) == theirs.map(\.token))
      #expect(ours.map(\.probability) == theirs.map(\.probability))
    }
  }
}
