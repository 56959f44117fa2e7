// The floors of this machine on several threads, answered like an engine of engine.py: `read` gives
// GB/s, `multiply` GOPS of 8-bit products, `copy` GB/s of memory copied, `load FILE` GB/s of a file
// brought into memory that the system gives and clears meanwhile, as a loader must that packs
// nothing.
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
let piece = 1 << 18
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

/// GB/s of at most 1 GiB of a file, through a small buffer a thread, into new memory.
func load(_ path: String) -> Double {
  let file = open(path, O_RDONLY)
  let size = min(byteCount, Int(lseek(file, 0, SEEK_END))) / threads / piece * piece
  let new = mmap(
    nil, size * threads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  guard size > 0, let new, new != MAP_FAILED else { exit(1) }
  madvise(new, size * threads, MADV_HUGEPAGE)
  nonisolated(unsafe) let target = new
  let time = together { thread in
    // Memory that is there: each thread's part of `bytes`.
    let buffer = bytes + thread * share
    for offset in stride(from: thread * size, to: (thread + 1) * size, by: piece) {
      guard pread(file, buffer, piece, offset) == piece else { exit(1) }
      memcpy(target + offset, buffer, piece)
    }
  }
  munmap(new, size * threads)
  close(file)
  return Double(size * threads) / time / 1e9
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
  case _ where line.hasPrefix("load "):
    rate = load(String(line.dropFirst(5)))
  default:
    let half = share / 2
    let time = together { memcpy(bytes + $0 * share, bytes + $0 * share + half, half) }
    rate = Double(half * threads) / time / 1e9
  }
  print("{\"rate\": \(rate)}")
  fflush(nil)
}
