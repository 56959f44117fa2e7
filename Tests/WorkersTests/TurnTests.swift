// Turns: one at a time, in the order in which they were asked for.
import Glibc
import Synchronization
import Testing
import Workers

/// A contest of some threads for a turn.
private final class Contest: @unchecked Sendable {
  let turn = Turn()
  let inside = Atomic<Int>(0)
  let overlaps = Atomic<Int>(0)
  /// Guarded by the turn alone.
  var total = 0
  var order: [Int] = []
  let arrived = Atomic<Int>(0)

  func take(_ index: Int, times: Int) {
    for _ in 0..<times {
      turn.wait()
      if inside.wrappingAdd(1, ordering: .relaxed).oldValue != 0 {
        overlaps.wrappingAdd(1, ordering: .relaxed)
      }
      total += 1
      inside.wrappingSubtract(1, ordering: .relaxed)
      turn.done()
    }
  }
}

/// A thread that is certain to run beside the others.
private func thread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var handle = pthread_t()
  let status = pthread_create(
    &handle, nil,
    { raw in
      if let raw { Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().body() }
      return nil
    }, Unmanaged.passRetained(Box(body)).toOpaque())
  #expect(status == 0)
  return handle
}

@Suite("turns")
struct TurnTests {
  @Test("one at a time, none lost", arguments: [1, 2, 3, 8])
  func exclusive(threads: Int) {
    let contest = Contest()
    let handles = (0..<threads).map { index in thread { contest.take(index, times: 20_000) } }
    for handle in handles { pthread_join(handle, nil) }
    #expect(contest.total == threads * 20_000)
    #expect(contest.overlaps.load(ordering: .relaxed) == 0)
  }

  @Test("in the order of asking")
  func fair() {
    let contest = Contest()
    contest.turn.wait()
    var handles: [pthread_t] = []
    for index in 0..<6 {
      handles.append(
        thread {
          contest.arrived.wrappingAdd(1, ordering: .releasing)
          contest.turn.wait()
          contest.order.append(index)
          contest.turn.done()
        })
      while contest.arrived.load(ordering: .acquiring) <= index { sched_yield() }
      // It has said that it comes; now it takes its ticket and sleeps.
      usleep(20_000)
    }
    contest.turn.done()
    for handle in handles { pthread_join(handle, nil) }
    #expect(contest.order == Array(0..<6))
  }
}
