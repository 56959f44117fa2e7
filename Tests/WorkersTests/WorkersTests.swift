// The threads of a model: every unit done once by somebody, whoever is awake; none left behind.
import Glibc
import Support
import Synchronization
import Testing
import Workers

/// Where each unit writes what it did.
private final class Job: @unchecked Sendable {
  let counts: UnsafeMutablePointer<UInt32>
  let results: UnsafeMutablePointer<UInt64>
  let workers: UnsafeMutablePointer<Int32>
  let capacity: Int

  init(capacity: Int) {
    self.capacity = capacity
    counts = .allocate(capacity: max(capacity, 1))
    results = .allocate(capacity: max(capacity, 1))
    workers = .allocate(capacity: max(capacity, 1))
    clear()
  }

  deinit {
    counts.deallocate()
    results.deallocate()
    workers.deallocate()
  }

  func clear() {
    counts.update(repeating: 0, count: capacity)
    results.update(repeating: 0, count: capacity)
    workers.update(repeating: -1, count: capacity)
  }

  /// Runs `units` units, each of which marks its own place.
  ///
  /// Two threads on one unit would show as a count of 2.
  func run(_ units: Int, on team: Workers) {
    team.run(units, Unmanaged.passUnretained(self).toOpaque()) { context, unit, worker in
      let job = Unmanaged<Job>.fromOpaque(context).takeUnretainedValue()
      job.counts[unit] &+= 1
      var random = SeededGenerator(seed: UInt64(unit))
      job.results[unit] = random.next()
      job.workers[unit] = Int32(worker)
    }
  }

  /// Whether units 0..<units were done once each, and nothing else was.
  func isComplete(_ units: Int, threads: Int) -> Bool {
    (0..<capacity).allSatisfy { counts[$0] == ($0 < units ? 1 : 0) }
      && (0..<units).allSatisfy { (0..<threads).contains(Int(workers[$0])) }
  }
}

/// Threads of this process that carry the engine's name.
private func namedThreads() -> [Int32] {
  guard let directory = opendir("/proc/self/task") else { return [] }
  defer { closedir(directory) }
  var found: [Int32] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    guard let id = Int32(name),
      let bytes = try? fileBytes("/proc/self/task/\(name)/comm")
    else { continue }
    if String(decoding: bytes, as: UTF8.self) == "mixtral\n" { found.append(id) }
  }
  return found
}

/// Whether no thread of a team is left.
///
/// A joined thread may still be listed for a moment: the system wakes who joins before it takes the
/// task out of the list.
private func namedThreadsEnd() -> Bool {
  for _ in 0..<100_000 {
    if namedThreads().isEmpty { return true }
    sched_yield()
  }
  return false
}

@Suite("workers", .serialized)
struct WorkersTests {
  @Test(
    "every unit is done exactly once", arguments: [1, 2, 3, 7], [0, 1, 2, 3, 1000, 100_000])
  func everyUnitOnce(threads: Int, units: Int) {
    let team = Workers(count: threads)
    #expect(team.count == threads)
    let job = Job(capacity: units + 1)
    for _ in 0..<3 {
      job.clear()
      job.run(units, on: team)
      #expect(job.isComplete(units, threads: threads))
    }
  }

  @Test("10,000 runs of changing size lose and repeat nothing", arguments: [2, 3, 7])
  func manyRuns(threads: Int) {
    let team = Workers(count: threads)
    let job = Job(capacity: 64)
    var random = SeededGenerator(seed: 0x10_000)
    var wrong = 0
    for _ in 0..<10_000 {
      let units = Int.random(in: 0...63, using: &random)
      job.clear()
      job.run(units, on: team)
      if !job.isComplete(units, threads: threads) { wrong += 1 }
    }
    #expect(wrong == 0)
  }

  @Test("runs after pauses wake sleepers")
  func wakesSleepers() {
    let team = Workers(count: 3)
    let job = Job(capacity: 8)
    var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
    for _ in 0..<50 {
      // Longer than the team spins, so that it sleeps; the result never depends on it.
      nanosleep(&pause, nil)
      job.clear()
      job.run(8, on: team)
      #expect(job.isComplete(8, threads: 3))
    }
  }

  @Test("results do not depend on the number of threads")
  func sameResults() {
    let one = Job(capacity: 5000)
    one.run(5000, on: Workers(count: 1))
    for threads in [2, 3, 5, 7, 16] {
      let job = Job(capacity: 5000)
      job.run(5000, on: Workers(count: threads))
      #expect((0..<5000).allSatisfy { job.results[$0] == one.results[$0] }, "\(threads) threads")
    }
  }

  @Test("more threads than processors, and more units than a job word counts")
  func extremes() {
    let team = Workers(count: 64)
    let job = Job(capacity: 1 << 20 + 1)
    for units in [(1 << 20) - 1, 1 << 20, (1 << 20) + 1] {
      job.clear()
      job.run(units, on: team)
      #expect(job.isComplete(units, threads: 64), "\(units) units")
    }
  }

  @Test("a count below two is the caller alone", arguments: [1, 0, -1])
  func callerAlone(count: Int) {
    let team = Workers(count: count)
    #expect(team.count == 1)
    let job = Job(capacity: 10)
    job.run(10, on: team)
    #expect((0..<10).allSatisfy { job.counts[$0] == 1 && job.workers[$0] == 0 })
  }

  // In processes of their own: other tests of this one have teams too.

  @Test("threads start with the team and are gone with it, used or not")
  func joins() async {
    await #expect(processExitsWith: .success) {
      for round in 0..<40 {
        var team: Workers? = Workers(count: 5)
        let job = Job(capacity: 100)
        if round % 2 == 0, let team { job.run(100, on: team) }
        team = nil
        guard namedThreadsEnd() else { exit(EXIT_FAILURE) }
      }
    }
  }

  @Test("a hundred teams leave no memory of theirs mapped")
  func noLeak() async {
    await #expect(processExitsWith: .success) {
      func mappings() throws -> Int {
        try fileBytes("/proc/self/maps").count { $0 == UInt8(ascii: "\n") }
      }
      // glibc keeps a few stacks for reuse; after the first teams their number stands.
      for _ in 0..<4 { _ = Workers(count: 4) }
      let before = try mappings()
      for _ in 0..<100 { _ = Workers(count: 4) }
      guard try mappings() < before + 8 else { exit(EXIT_FAILURE) }
    }
  }

  @Test("workers block every signal but those of a thread's own faults")
  func signals() throws {
    let others = Set(namedThreads())
    let team = Workers(count: 4)
    let job = Job(capacity: 1000)
    // A thread names itself when it starts to run: until all three have, let them.
    while Set(namedThreads()).subtracting(others).count < 3 { job.run(1000, on: team) }
    for id in Set(namedThreads()).subtracting(others) {
      // A thread of another test may be gone by now.
      guard let bytes = try? fileBytes("/proc/self/task/\(id)/status"), !bytes.isEmpty else {
        continue
      }
      let status = String(decoding: bytes, as: UTF8.self)
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("SigBlk:") })
      let digits = String(line.dropFirst(7)).filter(\.isHexDigit)
      let mask = try #require(UInt64(digits, radix: 16))
      // All 64 but SIGKILL (9), SIGSTOP (19) and the two that glibc keeps for itself (32, 33).
      let never: UInt64 = 1 << 8 | 1 << 18 | 1 << 31 | 1 << 32
      let faults = [SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS].reduce(UInt64(0)) {
        $0 | 1 << UInt64($1 - 1)
      }
      #expect(mask == ~(never | faults), "\(line)")
    }
    withExtendedLifetime(team) {}
  }

  @Test("the creator's signal mask stays as it was")
  func ownMask() {
    func blocked() -> [Int32] {
      var mask = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &mask)
      return (1...64).filter { sigismember(&mask, $0) == 1 }
    }
    let before = blocked()
    let team = Workers(count: 3)
    #expect(blocked() == before)
    withExtendedLifetime(team) {}
  }
}
