// Recovery: a failed check or refused memory ends the innermost work, not the process.
import Base
import Platform
import Testing

@Suite("recovery")
struct RecoveryTests {
  @Test("work that ends as it should has no failure")
  func whole() throws {
    var done = false
    #expect(failure { done = true } == nil)
    #expect(done)
    #expect(throws: EngineError(.busy, "why")) {
      try recovering { () throws(EngineError) in throw EngineError(.busy, "why") }
    }
  }

  @Test("a failure ends the innermost work, and is marked")
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

  @Test("an object on which a call failed is refused, and can be closed")
  func exclusiveUse() throws {
    let use = ExclusiveUse("thing")
    try use.begin()
    #expect(throws: EngineError(.busy, "another call runs on this thing")) { try use.begin() }
    var closed = use.close()
    #expect(!closed)
    use.end()
    #expect(throws: EngineError.self) { try use.hold { platform_trap() } }
    do throws(EngineError) {
      try use.begin()
      Issue.record("a broken object was given out")
    } catch {
      #expect(error.kind == .internal)
    }
    closed = use.close()
    #expect(closed)
    closed = use.close()
    #expect(!closed)
  }
}
