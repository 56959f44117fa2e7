// Landings: what falls ends here, wherever it fell.
import Base
import Platform
import Synchronization
import Testing
import Workers

@Suite("landings")
struct RecoveryTests {
  @Test("work that ends as it should falls for nothing")
  func whole() throws {
    var done = false
    #expect(failure { done = true } == nil)
    #expect(done)
    #expect(throws: EngineError(.busy, "why")) {
      try recovering { () throws(EngineError) in throw EngineError(.busy, "why") }
    }
  }

  @Test("a fall ends the innermost work, and is marked")
  func nested() {
    var after = 0
    var marked: Failure?
    let outer = failure {
      #expect(failure { platform_fail(Failure.memory.rawValue) } == .memory)
      after += 1
      do throws(EngineError) {
        try recovering(
          { () throws(EngineError) in platform_trap() },
          onFailure: { marked = $0 })
      } catch {
        #expect(error.kind == .internal)
      }
      after += 1
      platform_trap()
    }
    #expect(outer == .trap)
    #expect(marked == .trap)
    #expect(after == 2)
  }

  @Test("an object on which a call fell is refused, and can be closed")
  func exclusiveUse() throws {
    let exclusiveUse = ExclusiveUse("thing")
    try exclusiveUse.begin()
    #expect(throws: EngineError(.busy, "another call runs on this thing")) {
      try exclusiveUse.begin()
    }
    var closed = exclusiveUse.close()
    #expect(!closed)
    exclusiveUse.end()
    #expect(throws: EngineError.self) { try exclusiveUse.hold { platform_trap() } }
    do throws(EngineError) {
      try exclusiveUse.begin()
      Issue.record("a broken object was given out")
    } catch {
      #expect(error.kind == .internal)
    }
    closed = exclusiveUse.close()
    #expect(closed)
    closed = exclusiveUse.close()
    #expect(!closed)
  }

  @Test("units that fall on any thread end the job and not the team", arguments: [1, 2, 4])
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
      // Alone, nobody is waited for: the job ends where it fell.
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
