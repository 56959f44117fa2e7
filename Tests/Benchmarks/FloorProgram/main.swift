// The floors of this machine on several threads, answered like an engine of engine.py: `read` gives
// GB/s, `multiply` GOPS of 8-bit products, `copy` GB/s of memory copied, `copy-new` the same into
// memory that the system gives and clears meanwhile, as a loader must.
import Floors
import Glibc

func seconds() -> Double {
  var t = timespec()
  clock_gettime(CLOCK_MONOTONIC, &t)
  return Double(t.tv_sec) + Double(t.tv_nsec) * 1e-9
}

let floors = Floors.best
let threads = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 2 : 2
let byteCount = 1 << 30
let share = byteCount / threads / 4096 * 4096
nonisolated(unsafe) let bytes = UnsafeMutableRawPointer.allocate(
  byteCount: byteCount, alignment: 4096)
madvise(bytes, byteCount, MADV_HUGEPAGE)
memset(bytes, 1, byteCount)
nonisolated(unsafe) var work: @Sendable (Int) -> Void = { _ in }

/// The time that all threads together need for their parts.
func together(_ body: @escaping @Sendable (Int) -> Void) -> Double {
  work = body
  let start = seconds()
  var handles: [pthread_t] = []
  for index in 0..<threads {
    var handle = pthread_t()
    let argument = UnsafeMutableRawPointer(bitPattern: index + 1)
    guard
      pthread_create(
        &handle, nil,
        { argument in
          work(Int(bitPattern: argument) - 1)
          return nil
        }, argument) == 0
    else { exit(1) }
    handles.append(handle)
  }
  for handle in handles { pthread_join(handle, nil) }
  return seconds() - start
}

print("{\"seconds\": 0}")
fflush(nil)
while let line = readLine() {
  let rate: Double
  switch line {
  case "read":
    let time = together { _ = floors.read(bytes + $0 * share, share) }
    rate = Double(share * threads) / time / 1e9
  case "multiply":
    let turns = 20_000_000
    let time = together { _ in _ = floors.multiply(turns, bytes) }
    rate = Double(turns) * floors.operationsPerTurn * Double(threads) / time / 1e9
  case "copy-new":
    let protection = PROT_READ | PROT_WRITE
    let new = mmap(nil, byteCount, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let new, new != MAP_FAILED else { exit(1) }
    madvise(new, byteCount, MADV_HUGEPAGE)
    nonisolated(unsafe) let target = new
    let time = together { memcpy(target + $0 * share, bytes + $0 * share, share) }
    munmap(new, byteCount)
    rate = Double(share * threads) / time / 1e9
  default:
    let half = share / 2
    let time = together { memcpy(bytes + $0 * share, bytes + $0 * share + half, half) }
    rate = Double(half * threads) / time / 1e9
  }
  print("{\"rate\": \(rate)}")
  fflush(nil)
}
