// The threads of a model. Work is a number of units that threads claim one by one: a unit is done
// by whoever is awake, and nobody waits for a thread that sleeps or was preempted before it claimed
// one. Which thread does a unit never changes its result.
//
// The state of the current job is one 64-bit word: 24 bits of job number, 20 of unit count, 20 of
// the next unit. A claim is a compare-and-swap of that word, so a late thread can never take a unit
// of a job that is over, and the fields of a job stay put until its last unit is done.
import Base
import Platform
import Synchronization

/// A team of threads: the caller of `run` and `count - 1` workers that spin briefly, then sleep.
package final class Workers: @unchecked Sendable {
  /// (context, unit, worker): does one unit; `worker` is in 0..<count.
  package typealias Body = @convention(c) (UnsafeRawPointer, Int, Int) -> Void

  /// Threads in all, the caller included.
  package private(set) var count = 1

  private var threads = Growable<pthread_t>()
  private let job = Atomic<UInt64>(0)
  private let finished = Atomic<Int>(0)
  /// The word that sleepers wait on: it rises with every job, and once more to stop.
  private let wakeups = UnsafeMutablePointer<UInt32>.allocate(capacity: 16)
  private let sleepers = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  // Written by the caller of `run` before the job word, read after a claim of it.
  private var body: Body = { _, _, _ in }
  /// The failure of a unit of the current job, 0 for none.
  private let failure = Atomic<Int32>(0)
  private var context: UnsafeRawPointer

  /// Times a waiting thread looks again before it sleeps: about 50 µs, and hardly any where threads
  /// wait for one another's processors.
  private let spins: Int

  /// Starts `count - 1` workers; fewer when the system refuses more.
  @export(interface)
  package init(count wanted: Int) {
    context = UnsafeRawPointer(wakeups)
    spins = wanted > Int(platform_processor_count()) ? 20 : 1500
    wakeups.initialize(repeating: 0, count: 16)
    guard wanted > 1 else { return }
    var attributes = pthread_attr_t()
    guard pthread_attr_init(&attributes) == 0 else { return }
    pthread_attr_setstacksize(&attributes, 512 * 1024)
    // A signal of the host must not land on a worker: the mask is inherited. Those of a thread's
    // own faults are not held back: the system ends the process when it cannot deliver one.
    var sent = sigset_t()
    var before = sigset_t()
    sigfillset(&sent)
    for fault in [SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS] { sigdelset(&sent, fault) }
    pthread_sigmask(SIG_SETMASK, &sent, &before)
    while count < wanted, (try? threads.reserve(count)) != nil {
      var thread = pthread_t()
      let start = Unmanaged.passRetained(Start(workers: self, index: count))
      let status = pthread_create(
        &thread, &attributes,
        { raw in
          guard let raw else { return nil }
          let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
          let index = start.index
          // A strong reference here would live as long as the thread, and `deinit` would never run.
          start.workers._withUnsafeGuaranteedRef { $0.work(index) }
          return nil
        }, start.toOpaque())
      guard status == 0 else {
        start.release()
        break
      }
      // There is room: this cannot fail.
      try? threads.append(thread)
      count &+= 1
    }
    pthread_sigmask(SIG_SETMASK, &before, nil)
    pthread_attr_destroy(&attributes)
  }

  /// The argument of a new thread.
  ///
  /// It does not keep the team alive: `deinit` joins it.
  private final class Start {
    let workers: Unmanaged<Workers>
    let index: Int
    init(workers: Workers, index: Int) {
      self.workers = .passUnretained(workers)
      self.index = index
    }
  }

  deinit {
    stopping.store(true, ordering: .releasing)
    wake()
    while let thread = threads.removeLast() { pthread_join(thread, nil) }
    wakeups.deallocate()
  }

  /// Does units 0..<unitCount (at most 2^20 - 1) of `body`, together; returns when all are done.
  ///
  /// Only for a single caller at a time. Allocates nothing. Fails when a unit failed, after all
  /// are done.
  @export(interface)
  package func run(_ unitCount: Int, _ context: UnsafeRawPointer, _ body: @escaping Body) {
    guard count > 1, unitCount > 1, unitCount < 1 << 20 else {
      for unit in below(unitCount) {
        body(context, unit, 0)
      }
      return
    }
    self.body = body
    self.context = context
    finished.store(0, ordering: .relaxed)
    self.failure.store(0, ordering: .relaxed)
    let number = job.load(ordering: .relaxed) &>> 40 &+ 1
    job.store(
      number &<< 40 | UInt64(truncatingIfNeeded: unitCount) &<< 20, ordering: .releasing)
    wake()
    claimUnits(worker: 0)
    var spins = 0
    while finished.load(ordering: .acquiring) < unitCount {
      platform_pause()
      spins &+= 1
      // A thread that holds the last unit may be preempted: let it run.
      if spins > self.spins { sched_yield() }
    }
    let cause = self.failure.load(ordering: .relaxed)
    if cause != 0 { platform_fail(cause) }
  }

  /// Wakes whoever sleeps.
  private func wake() {
    let word = UnsafeMutableRawPointer(wakeups).assumingMemoryBound(to: Atomic<UInt32>.self)
    word.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
      platform_futex_wake(wakeups, Int32.max)
    }
  }

  /// Claims and does units of the current job until none is left.
  ///
  /// A unit that fails counts as done, so that nobody waits for it.
  private func claimUnits(worker: Int) {
    while let failure = Base.failure(in: { self.doUnits(worker: worker) }) {
      self.failure.store(failure.rawValue, ordering: .relaxed)
      finished.wrappingAdd(1, ordering: .releasing)
    }
  }

  private func doUnits(worker: Int) {
    while true {
      let state = job.load(ordering: .acquiring)
      let unit = state & 0xf_ffff
      guard unit < state &>> 20 & 0xf_ffff else { return }
      let claim = job.compareExchange(
        expected: state, desired: state &+ 1, ordering: .acquiringAndReleasing)
      guard claim.exchanged else { continue }
      body(context, Int(truncatingIfNeeded: unit), worker)
      finished.wrappingAdd(1, ordering: .releasing)
    }
  }

  /// The life of a worker.
  private func work(_ index: Int) {
    platform_name_thread("mixtral")
    platform_set_float_state(UInt64(PLATFORM_FLOAT_STATE))
    let word = UnsafeMutableRawPointer(wakeups).assumingMemoryBound(to: Atomic<UInt32>.self)
    var seen: UInt32 = 0
    while !stopping.load(ordering: .acquiring) {
      claimUnits(worker: index)
      var spins = 0
      var now = word.pointee.load(ordering: .acquiring)
      while now == seen && spins < self.spins {
        platform_pause()
        spins &+= 1
        now = word.pointee.load(ordering: .acquiring)
      }
      if now == seen {
        sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
        platform_futex_wait(wakeups, seen)
        sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        now = word.pointee.load(ordering: .acquiring)
      }
      seen = now
    }
  }
}
