// Recovery in the threads of a model: a unit that fails ends the job, not the team.
import Base
import Platform
import Testing
import Workers

@Suite("recovery of workers")
struct WorkerRecoveryTests {
  @Test("units that fail on any thread end the job and not the team", arguments: [1, 2, 4])
  func workers(threads: Int) {
    let team = Workers(count: threads)
    let done = UnsafeMutablePointer<UInt8>.allocate(capacity: 1000)
    done.initialize(repeating: 0, count: 1000)
    defer { done.deallocate() }
    for _ in 0..<50 {
      let end = failure {
        team.run(1000, done) { raw, unit, _ in
          if unit % 10 == 3 { platform_trap() }
          UnsafeMutableRawPointer(mutating: raw).storeBytes(
            of: 1, toByteOffset: unit, as: UInt8.self)
        }
      }
      #expect(end == .trap)
      // Alone, nobody is waited for: the job ends where it failed.
      let last = threads == 1 ? 3 : 1000
      #expect((0..<last).allSatisfy { (done[$0] == 1) == ($0 % 10 != 3) })
      done.update(repeating: 0, count: 1000)
    }
    // The next job is whole.
    team.run(1000, done) { raw, unit, _ in
      UnsafeMutableRawPointer(mutating: raw).storeBytes(of: 1, toByteOffset: unit, as: UInt8.self)
    }
    #expect((0..<1000).allSatisfy { done[$0] == 1 })
  }
}
