// Speed of packing and of the products of every panel type, one thread: `swift run -c release
// kernel-bench [type ...]`. For each: packing rows (GB/s of the file, and the share of copying as
// many bytes); one row of activations from the second-level cache and from memory (GB/s, and the
// share of the reading floor), 64 rows (GOPS, and the share of the product floor). Floors are
// measured in turn with the kernel; a share is the median of fifteen, or five.
import Floors
import Glibc
import Kernels
import KernelsAVX2
import KernelsAVX512
import KernelsAVXVNNI
import Platform
import Quantization

func seconds() -> Double {
  var t = timespec()
  clock_gettime(CLOCK_MONOTONIC, &t)
  return Double(t.tv_sec) + Double(t.tv_nsec) * 1e-9
}

/// Best time of `runs` calls.
func best(_ runs: Int, _ body: () -> Void) -> Double {
  var best = Double.infinity
  for _ in 0..<runs {
    let start = seconds()
    body()
    best = min(best, seconds() - start)
  }
  return best
}

let floors = Floors.best
let columns = 4096
let small = 16
let large = 2048
let rows = 64
let bytes = UnsafeMutableRawPointer.allocate(byteCount: large * 16 * columns * 4, alignment: 4096)
madvise(bytes, large * 16 * columns * 4, MADV_HUGEPAGE)
for i in 0..<(large * 16 * columns / 2) {
  bytes.storeBytes(of: UInt64(i) &* 0x9E37_79B9_7F4A_7C15, toByteOffset: i * 8, as: UInt64.self)
}
let values = UnsafeMutablePointer<Float>.allocate(capacity: rows * columns)
for i in 0..<(rows * columns) { values[i] = Float(i % 251) / 125 - 1 }
let inputs = UnsafeMutableRawPointer.allocate(byteCount: rows * columns * 4, alignment: 64)
let out = UnsafeMutablePointer<Float>.allocate(capacity: rows * large * 16)
let workspace = UnsafeMutableRawPointer.allocate(
  byteCount: FloatRows.workspaceByteCount, alignment: 64)
var sink: Int32 = 0

/// Rates of a floor and of a kernel measured in turn, in `unit`s a second: best of each, and the
/// median of the kernel's shares of the floor beside it.
func beside(
  _ rounds: Int, floor: (() -> Void, work: Double), kernel: (() -> Void, work: Double)
) -> (floor: Double, kernel: Double, share: Double) {
  var shares: [Double] = []
  var rates = (floor: 0.0, kernel: 0.0)
  for _ in 0..<rounds {
    let floor = floor.work / best(1, floor.0) / 1e9
    let kernel = kernel.work / best(1, kernel.0) / 1e9
    shares.append(kernel / floor)
    rates = (max(rates.floor, floor), max(rates.kernel, kernel))
  }
  return (rates.floor, rates.kernel, shares.sorted()[rounds / 2])
}

func fixed(_ x: Double) -> String { "\((x * 10).rounded() / 10)" }

let wanted = CommandLine.arguments.dropFirst()
let packed = UnsafeMutableRawPointer.allocate(
  byteCount: large * 16 * columns * 4, alignment: 4096)
madvise(packed, large * 16 * columns * 4, MADV_HUGEPAGE)
memset(packed, 1, large * 16 * columns * 4)
for format in PanelFormat.formats where wanted.isEmpty || wanted.contains(format.tensorType.name) {
  let blocks = columns / format.columns
  let rowByteCount = blocks * format.fileBlockByteCount
  let byteCount = large * 16 * rowByteCount
  let pack = beside(
    5, floor: ({ memcpy(packed, bytes, byteCount) }, Double(byteCount)),
    kernel: (
      {
        for panel in 0..<large {
          do {
            try format.pack(
              rows: bytes + panel * 16 * rowByteCount, rowStride: rowByteCount, rowCount: 16,
              blocks: blocks, into: packed + panel * blocks * format.panelBlockByteCount)
          } catch {
            fatalError("packing \(format.tensorType.name): \(error)")
          }
        }
      }, Double(byteCount)
    ))
  print(
    "packing \(format.tensorType.name): \(fixed(pack.kernel)) of \(fixed(pack.floor)) GB/s "
      + "(\(fixed(100 * pack.share)) %)")
}

let tables =
  (platform_has_avx512() != 0 ? [KernelTable.avx512] : [])
  + (platform_has_avxvnni() != 0 ? [.avxvnni] : []) + (platform_has_avx2() != 0 ? [.avx2] : [])
for table in tables {
  for format in PanelFormat.formats where wanted.isEmpty || wanted.contains(format.tensorType.name)
  {
    let blocks = columns / format.columns
    let panelStride = blocks * format.panelBlockByteCount
    let rowStride = format.activationForm.rowByteCount(columns: columns)
    for row in 0..<rows {
      switch format.activationForm {
      case .float:
        table.floatRows.place(
          values + row * columns, columns: columns, row: row, of: rows,
          inputs.assumingMemoryBound(to: Float.self), stride: columns)
      case .blocks32:
        table.quantize32(values + row * columns, columns / 32, inputs + row * rowStride)
      case .blocks256:
        table.quantize256(values + row * columns, columns / 256, inputs + row * rowStride)
      }
    }
    let product = table.product(format.panelType)
    let tiles = table.bundledProduct(format.panelType)
    let turns = 20
    let cached =
      best(5) {
        for _ in 0..<turns { product(bytes, small, blocks, inputs, 1, rowStride, out, 16) }
      } / Double(turns)
    let read = beside(
      15, floor: ({ sink &+= floors.read(bytes, 1 << 28) }, Double(1 << 28)),
      kernel: (
        { product(bytes, large, blocks, inputs, 1, rowStride, out, 16) },
        Double(large * panelStride)
      ))
    let tile = beside(
      15, floor: ({ sink &+= floors.multiply(100_000, bytes) }, 1e5 * floors.operationsPerTurn),
      kernel: (
        {
          let done = tiles == nil ? 0 : table.floatRows.bundled(rows)
          tiles?(bytes, small, columns, inputs, done, out, small * 16, workspace)
          product(
            bytes, small, blocks, inputs + done * rowStride, rows - done, rowStride,
            out + done * small * 16, small * 16)
        },
        2 * Double(rows) * Double(columns) * Double(small * 16)
      ))
    print(
      "\(table.name) \(format.tensorType.name): row cached "
        + "\(fixed(Double(small * panelStride) / cached / 1e9)) GB/s, streamed "
        + "\(fixed(read.kernel)) of \(fixed(read.floor)) GB/s (\(fixed(100 * read.share)) %), tile "
        + "\(fixed(tile.kernel)) of \(fixed(tile.floor)) GOPS (\(fixed(100 * tile.share)) %)")
  }
}
if sink == 1 { print("") }
