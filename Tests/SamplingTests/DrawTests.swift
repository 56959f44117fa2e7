// The filter callback, the report, and what a failed draw leaves behind.

import Formats
import Glibc
import Sampling
import Testing

@Suite struct DrawTests {
  @Test("the filter changes a copy, before bias and penalties")
  func filter() throws {
    let logits: [Float] = [1, 2, 3, 4]
    var sampler = try Sampler(
      options {
        $0.bias = [(1, 1)]; $0.presencePenalty = 2
      })
    var seen: [Float] = []
    let token = try sampler.draw(logits, history: [0]) { copy in
      seen = Array(copy)
      copy[0] = 9.5
      copy[1] = 7
      return false
    }
    #expect(seen == logits)
    #expect(token == 1)
    #expect(logits == [1, 2, 3, 4])
  }

  @Test("the report holds the drawn token and the model's own likeliest, unmodified")
  func report() throws {
    let logits = randomLogits(200, spread: 2, seed: 13).map { ($0 * 4).rounded() / 4 }
    let settings = options {
      $0.temperature = 3
      $0.report = 9
      $0.bias = [(5, 100)]
      $0.repetitionPenalty = 2
    }
    var sampler = try Sampler(settings)
    #expect(sampler.report.isEmpty)
    let token = try sampler.draw(logits, history: [1, 2, 3])
    let report = sampler.report
    #expect(token == 5 && report.count == 10 && report[0].token == 5)
    let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
    #expect(report.dropFirst().map { Int($0.token) } == Array(order.prefix(9)))
    let probabilities = softmax(logits)
    for candidate in report {
      #expect(candidate.logit == logits[Int(candidate.token)])
      let expected = Glibc.log(probabilities[Int(candidate.token)])
      // One rounding to Float of a value below 32.
      #expect(abs(Double(candidate.logProbability) - expected) <= 0x1p-19)
    }
    #expect(sampler.withReport { Array($0) } == report)
  }

  @Test("banned logits are reported with a probability of 0")
  func reportOfBanned() throws {
    var sampler = try Sampler(options { $0.report = 3 })
    #expect(try sampler.draw([-.infinity, 0, -.infinity]) == 1)
    #expect(
      sampler.report == [
        Candidate(token: 1, logit: 0, logProbability: 0),
        Candidate(token: 1, logit: 0, logProbability: 0),
        Candidate(token: 0, logit: -.infinity, logProbability: -.infinity),
        Candidate(token: 2, logit: -.infinity, logProbability: -.infinity),
      ])
  }

  @Test("a failed draw changes neither the random numbers nor the report nor the penalties")
  func failures() throws {
    let settings = options {
      $0.temperature = 1.2
      $0.seed = 5
      $0.report = 4
      $0.frequencyPenalty = 0.5
      $0.bias = [(30, 0.5)]
    }
    let logits = randomLogits(60, spread: 1, seed: 8)
    let history: [Int32] = [1, 1, 2, 5]
    var disturbed = try Sampler(settings)
    var calm = try Sampler(settings)
    for _ in 0..<100 {
      let expected = try calm.draw(logits, history: history)
      #expect(try disturbed.draw(logits, history: history) == expected)
      let report = disturbed.report
      #expect(report == calm.report)
      let failures = [
        failure { () throws(EngineError) in
          _ = try disturbed.draw(logits, history: history) {
            $0[3] = 50; return true
          }
        }?.kind,
        failure { () throws(EngineError) in
          _ = try disturbed.draw(logits, history: history) {
            $0[3] = .nan; return false
          }
        }?.kind,
        failure { () throws(EngineError) in
          _ = try disturbed.draw(logits, history: history) {
            $0.update(repeating: -.infinity)
            return false
          }
        }?.kind,
        failure { () throws(EngineError) in _ = try disturbed.draw([1, 2], history: history) }?
          .kind,
        failure { () throws(EngineError) in _ = try disturbed.draw([]) }?.kind,
      ]
      #expect(failures == [.cancelled, .numeric, .numeric, .invalidArgument, .invalidArgument])
      #expect(disturbed.report == report)
    }
  }
}
