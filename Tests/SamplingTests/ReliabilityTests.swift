// Hostile options and logits, by their numbers in the reliability catalogue. Where that and the
// header differ the header wins: a zero field is off.

import Formats
import Sampling
import Testing

@Suite struct ReliabilityTests {
  private let extremes: [Float] = [.nan, .infinity, -.infinity]

  @Test("N03: equal logits give a uniform distribution, greedy the lowest id")
  func equalLogits() throws {
    let logits = [Float](repeating: 2.5, count: 64)
    #expect(try Sampler.greedy(logits) == 0)
    var sampler = try Sampler(options { $0.temperature = 0.3 })
    let kept = try sampler.distribution(logits)
    #expect(kept.map(\.token) == Array(0..<64))
    #expect(kept.allSatisfy { $0.probability == 1.0 / 64 })
  }

  @Test("N04: logits of 3e38 and -3e38 stay finite in every filter")
  func hugeLogits() throws {
    let logits: [Float] = [-3e38, 3e38, 0, 3e38, -3e38]
    for temperature in [1e-30, 1, 1e30, Float.greatestFiniteMagnitude] {
      let settings = options {
        $0.temperature = temperature
        $0.typicalP = 0.99
        $0.topP = 0.99
        $0.minP = 0.1
        $0.repetitionPenalty = .greatestFiniteMagnitude
        $0.report = 5
      }
      var sampler = try Sampler(settings)
      let kept = try sampler.distribution(logits)
      #expect(kept.map(\.token) == [1, 3] && kept.allSatisfy { $0.probability == 0.5 })
      let token = try sampler.draw(logits, history: [0, 4])
      let report = sampler.report
      #expect(token == 1 || token == 3)
      #expect(report.allSatisfy { $0.logProbability.isFinite })
    }
  }

  @Test("N05, N12: nothing above -infinity is NUMERIC, by logits, by bias or by the filter")
  func allBanned() throws {
    let banned = [Float](repeating: -.infinity, count: 4)
    let bias: [(token: Int32, bias: Float)] = (0..<4).map { (Int32($0), -.infinity) }
    #expect(failure { () throws(EngineError) in _ = try Sampler.greedy(banned) }?.kind == .numeric)
    for temperature in [0, 1] as [Float] {
      var plain = try Sampler(options { $0.temperature = temperature })
      var biased = try Sampler(
        options {
          $0.temperature = temperature; $0.bias = bias
        })
      for error in [
        failure { () throws(EngineError) in _ = try plain.draw(banned) },
        failure { () throws(EngineError) in _ = try biased.draw([1, 2, 3, 4]) },
        failure { () throws(EngineError) in
          _ = try plain.draw([1, 2]) {
            $0.update(repeating: -.infinity); return false
          }
        },
      ] {
        #expect(error?.kind == .numeric)
        #expect(error?.message.contains("every token is banned") == true)
      }
    }
  }

  @Test("N06: temperature NaN, negative, infinite is refused; 0 and -0 are greedy")
  func temperature() throws {
    for value in extremes + [-1, -1e-30] {
      let error = refusal { $0.temperature = value }
      #expect(error?.kind == .invalidArgument && error?.message.contains("temperature") == true)
    }
    #expect(
      refusal { $0.temperature = -1 }?.message
        == "temperature is -1.0; allowed 0 (greedy) or a finite number above it")
    let logits = randomLogits(40, spread: 2, seed: 2)
    let best = try Sampler.greedy(logits)
    for value in [0, -0.0, 1e-30, .leastNonzeroMagnitude] as [Float] {
      var sampler = try Sampler(options { $0.temperature = value })
      for _ in 0..<20 { #expect(try sampler.draw(logits) == best) }
    }
    var hot = try Sampler(options { $0.temperature = 1e30 })
    #expect(try hot.distribution(logits).allSatisfy { abs($0.probability - 0.025) < 1e-15 })
  }

  @Test("N07: top-k 0 and beyond the vocabulary keep all, 1 is greedy")
  func topK() throws {
    let logits = randomLogits(40, spread: 2, seed: 2)
    for k in [0, 40, 41, .max] as [UInt32] {
      var sampler = try Sampler(
        options {
          $0.temperature = 1; $0.topK = k
        })
      #expect(try sampler.distribution(logits).count == 40)
    }
    var one = try Sampler(
      options {
        $0.temperature = 5; $0.topK = 1
      })
    for _ in 0..<20 { #expect(try one.draw(logits) == Sampler.greedy(logits)) }
  }

  @Test("N08, N09: shares outside [0, 1] are refused; 0 and 1 keep all but for min-p 1")
  func shares() throws {
    let fields: [(String, WritableKeyPath<SamplerOptions, Float>)] = [
      ("top_p", \.topP), ("min_p", \.minP), ("typical_p", \.typicalP),
    ]
    let logits = randomLogits(40, spread: 2, seed: 2)
    for (name, field) in fields {
      for value in extremes + [-0.1, 1.1, Float(1).nextUp] {
        let error = refusal { $0[keyPath: field] = value }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.message == "\(name) is \(value); allowed 0 (off) to 1")
      }
      for value in [0, 1] as [Float] {
        var sampler = try Sampler(
          options {
            $0.temperature = 1; $0[keyPath: field] = value
          })
        let expected = name == "min_p" && value == 1 ? 1 : 40
        #expect(try sampler.distribution(logits).count == expected)
      }
      // The largest share below 1: sums that round to less than it must keep all, not trap.
      let settings = options {
        $0.temperature = 1; $0[keyPath: field] = Float(1).nextDown
      }
      var sampler = try Sampler(settings)
      let equal = [Float](repeating: 0, count: 1000)
      #expect(try sampler.distribution(equal).count == 1000)
    }
  }

  @Test("N10: penalties NaN, infinite, negative or beyond 100 are refused; 0 and 1 are off")
  func penalties() throws {
    for value in extremes + [-1] {
      let error = refusal { $0.repetitionPenalty = value }
      #expect(error?.message.contains("repetition_penalty is \(value)") == true)
    }
    for value in extremes + [-100.1, 100.1] {
      let frequency = refusal { $0.frequencyPenalty = value }
      #expect(frequency?.message == "frequency_penalty is \(value); allowed -100 to 100")
      let presence = refusal { $0.presencePenalty = value }
      #expect(presence?.message == "presence_penalty is \(value); allowed -100 to 100")
    }
    for value in [-100, 100] as [Float] {
      #expect(
        refusal {
          $0.frequencyPenalty = value; $0.presencePenalty = value
        } == nil)
    }
    for value in [0, 1] as [Float] {
      var sampler = try Sampler(options { $0.repetitionPenalty = value })
      #expect(try sampler.draw([1, 2, 3], history: [2, 2, 2]) == 2)
    }
    // Positive is divided, negative multiplied: either way a seen token loses.
    var divides = try Sampler(options { $0.repetitionPenalty = 2 })
    #expect(try divides.draw([1, 1.9, 0.5], history: [1]) == 0)
    #expect(try divides.draw([-1, -0.6, -3], history: [1]) == 0)
    var window = try Sampler(
      options {
        $0.presencePenalty = 5; $0.penaltyWindow = 2
      })
    #expect(try window.draw([4, 3, 2], history: [0, 1, 2]) == 0)
    #expect(try window.draw([4, 3, 2], history: [0, 1]) == 2)
  }

  @Test("N11: bias of infinity or NaN, an id twice or out of range, too many are refused")
  func bias() throws {
    for value in [Float.nan, .infinity] {
      let error = refusal { $0.bias = [(1, 0), (2, value)] }
      #expect(error?.kind == .invalidArgument && error?.message.contains("bias[1].bias") == true)
    }
    let twice = refusal { $0.bias = [(7, 1), (3, 1), (7, 2)] }
    #expect(twice?.kind == .invalidArgument)
    #expect(twice?.message == "bias[2].token is 7, as bias[0].token; allowed once")
    #expect(refusal { $0.bias = [(0, 1), (-1, 1)] }?.message.contains("bias[1].token") == true)
    let many: [(token: Int32, bias: Float)] = (0..<1_000_000).map { ($0, 0) }
    #expect(refusal { $0.bias = many }?.kind == .limitExceeded)
    #expect(refusal { $0.bias = Array(many.prefix(SamplerOptions.biasLimit)) } == nil)
    #expect(
      refusal { $0.bias = Array(many.prefix(SamplerOptions.biasLimit + 1)) }?.kind
        == .limitExceeded)
    var beyond = try Sampler(options { $0.bias = [(0, 1), (3, 1)] })
    let error = failure { () throws(EngineError) in _ = try beyond.draw([1, 2, 3]) }
    #expect(error?.kind == .invalidArgument)
    #expect(error?.message == "bias[1].token is 3; allowed 0 to 2")
    #expect(try beyond.draw([1, 2, 3, 4]) == 3)
  }

  @Test("N12: a bias of 1e30 chooses its token, -infinity bans for every draw")
  func hugeBias() throws {
    let logits = randomLogits(30, spread: 2, seed: 9)
    var forced = try Sampler(
      options {
        $0.temperature = 1; $0.bias = [(17, 1e30)]
      })
    for _ in 0..<20 { #expect(try forced.draw(logits) == 17) }
    let best = try Sampler.greedy(logits)
    var banned = try Sampler(
      options {
        $0.temperature = 9; $0.bias = [(best, -.infinity)]
      })
    #expect(try banned.distribution(logits).count == 29)
    for _ in 0..<200 { #expect(try banned.draw(logits) != best) }
  }

  @Test("N15: no logits are refused")
  func noLogits() throws {
    var sampler = try Sampler(SamplerOptions())
    let error = failure { () throws(EngineError) in _ = try sampler.draw([]) }
    #expect(error?.kind == .invalidArgument)
    #expect(failure { () throws(EngineError) in _ = try Sampler.greedy([]) } == error)
  }

  @Test("N16: a NaN or infinity anywhere is NUMERIC before anything is ordered")
  func notFinite() throws {
    for value in [Float.nan, -.nan, .infinity] {
      for index in [0, 50, 99] {
        var logits = randomLogits(100, spread: 2, seed: 4)
        logits[index] = value
        let greedy = failure { () throws(EngineError) in _ = try Sampler.greedy(logits) }
        #expect(greedy?.kind == .numeric)
        #expect(greedy?.message.hasPrefix("the logit of token \(index) is") == true)
        var sampler = try Sampler(
          options {
            $0.temperature = 1; $0.topK = 4; $0.report = 3
          })
        #expect(failure { () throws(EngineError) in _ = try sampler.draw(logits) } == greedy)
        let finite = randomLogits(100, spread: 2, seed: 4)
        let filtered = failure { () throws(EngineError) in
          _ = try sampler.draw(finite) {
            $0[index] = value; return false
          }
        }
        #expect(filtered == greedy)
      }
    }
  }

  @Test("N20: a report of 0 is none, of the vocabulary all, beyond it refused")
  func reportSizes() throws {
    let logits = randomLogits(20, spread: 2, seed: 6)
    for size in [0, 1, 19, 20] as [UInt32] {
      var sampler = try Sampler(options { $0.report = size })
      #expect(sampler.report.isEmpty)
      _ = try sampler.draw(logits)
      #expect(sampler.report.count == (size == 0 ? 0 : Int(size) + 1))
    }
    for size in [21, .max] as [UInt32] {
      var sampler = try Sampler(options { $0.report = size })
      let error = failure { () throws(EngineError) in _ = try sampler.draw(logits) }
      #expect(error?.kind == .invalidArgument)
      #expect(error?.message == "report is \(size); allowed 0 to 20, the vocabulary")
    }
  }
}
