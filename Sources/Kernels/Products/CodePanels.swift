// Products of panels of codes: one panel times `M` rows of activations (`ProductShape`).
//
// A tile of rows unpacks the codes that it meets. With many rows each tile would do so again: then
// 1024 columns of a panel are spread, a byte each code, into memory that stays in the first cache
// while all rows pass by, and the outputs wait in memory from one such piece to the next. That pays
// for joined codes where tiles are of four rows. What was tried: Tests/Benchmarks/RESULTS.md.

extension PanelBlock {
  /// Panel after panel times `rows` rows of activations (`forEachTile`).
  @inlinable @inline(__always)
  public static func product<ISA: ProductISA>(
    _ isa: ISA.Type, _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int, _ a: UnsafeRawPointer,
    _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>, _ outStride: Int
  ) {
    if Codes.isJoined, rows >= ISA.spreadRows {
      return spreadProduct(isa, w, panels, blocks, a, rows, rowStride, out, outStride)
    }
    forEachTile(
      ISA.self, CodePanel<ISA, Self, 1>.self, CodePanel<ISA, Self, 8>.self,
      CodePanel<ISA, Self, 4>.self, CodePanel<ISA, Self, 2>.self, w, panels, blocks, a, rows,
      rowStride, out, outStride)
  }
}

/// A panel of blocks of codes.
public enum CodePanel<ISA: ProductISA, Block: PanelBlock, let M: Int>: ProductShape {
  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always) public static var blockByteCount: Int { Block.byteCount }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int, _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    var outputs = InlineArray<M, ISA.Outputs>(repeating: ISA.noOutputs())
    var w = weights
    var a = activations
    for _ in 0..<blocks {
      let tail = w + Block.tail
      Block.add(ISA.self, Block.Codes.self, &outputs, 0, w, tail, a, rowStride, streams)
      if ISA.parts == 2 {
        let lanes = ISA.lanes
        Block.add(
          ISA.self, Block.Codes.self, &outputs, 1, w + lanes * 4, tail + lanes * 2, a, rowStride,
          false)
      }
      w += Block.byteCount
      a += Block.activationByteCount
    }
    store(ISA.self, outputs, out, outStride)
  }
}

extension PanelBlock {
  /// Bytes of a spread block: its codes, a byte each, then what follows the codes in a block.
  @inlinable @inline(__always) static var spreadByteCount: Int { spreadTail + byteCount - tail }

  /// Where the scales lie in a spread block.
  @inlinable @inline(__always)
  static var spreadTail: Int { columns / 32 * SpreadCodes<Codes>.groupByteCount }

  /// `product` by spread blocks.
  @inlinable @inline(__always)
  static func spreadProduct<ISA: ProductISA>(
    _ isa: ISA.Type, _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int, _ a: UnsafeRawPointer,
    _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>, _ outStride: Int
  ) {
    // 1024 columns: 16 KiB of codes, and at most 2 KiB of scales and minimums.
    var memory = InlineArray<288, SIMD64<UInt8>>(repeating: SIMD64(repeating: 0))
    withUnsafeMutablePointer(to: &memory) { memory in
      let spread = UnsafeMutableRawPointer(memory)
      for panel in 0..<panels {
        let w = w + panel * blocks * byteCount
        let out = out + panel * panelRows
        for row in 0..<rows { (out + row * outStride).update(repeating: 0, count: panelRows) }
        for first in stride(from: 0, to: blocks, by: 1024 / columns) {
          let count = min(1024 / columns, blocks - first)
          self.spread(isa, w + first * byteCount, count, into: spread)
          let a = a + first * activationByteCount
          spreadTiles(isa, Part0.self, spread, count, a, rows, rowStride, out, outStride)
          if ISA.parts == 2 {
            spreadTiles(isa, Part1.self, spread, count, a, rows, rowStride, out, outStride)
          }
        }
      }
    }
  }

  /// Spreads `blocks` blocks.
  @inlinable @inline(__always)
  static func spread<ISA: ProductISA>(
    _ isa: ISA.Type, _ w: UnsafeRawPointer, _ blocks: Int, into spread: UnsafeMutableRawPointer
  ) {
    for block in 0..<blocks {
      let (w, out) = (w + block * byteCount, spread + block * spreadByteCount)
      for group in 0..<columns / 32 {
        for part in 0..<ISA.parts {
          let codes = w + (group * Codes.groupByteCount + part * ISA.lanes * 4)
          let out = out + (group * SpreadCodes<Codes>.groupByteCount + part * ISA.lanes * 4)
          for i in 0..<8 { ISA.store(out + i * 64, Codes.vector(isa, codes, i)) }
        }
      }
      (out + spreadTail).copyMemory(from: w + tail, byteCount: byteCount - tail)
      prefetchGroup(isa, w, byteCount)
    }
  }

  /// The lanes of `part` of spread blocks times all rows.
  @inlinable @inline(__always)
  static func spreadTiles<ISA: ProductISA, Part: PartIndex>(
    _ isa: ISA.Type, _ part: Part.Type, _ spread: UnsafeRawPointer, _ blocks: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>,
    _ outStride: Int
  ) {
    forEachTile(
      ISA.self, SpreadPanel<ISA, Self, Part, 1>.self, SpreadPanel<ISA, Self, Part, 8>.self,
      SpreadPanel<ISA, Self, Part, 4>.self, SpreadPanel<ISA, Self, Part, 2>.self, spread, 1,
      blocks, a, rows, rowStride, out, outStride)
  }
}

/// The lanes of one part of a panel of spread blocks, which adds to its outputs.
public enum SpreadPanel<ISA: ProductISA, Block: PanelBlock, Part: PartIndex, let M: Int>:
  ProductShape
{
  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always) public static var blockByteCount: Int { Block.spreadByteCount }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int, _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    let lanes = Part.index * ISA.lanes
    let out = out + lanes
    var outputs = InlineArray<M, ISA.Outputs>(repeating: ISA.noOutputs())
    for m in 0..<M {
      ISA.setOutput(&outputs[m], Part.index, ISA.loadFloats(out + m * outStride))
    }
    var w = weights + lanes * 4
    var a = activations
    for _ in 0..<blocks {
      let tail = w + (Block.spreadTail - lanes * 2)
      Block.add(
        ISA.self, SpreadCodes<Block.Codes>.self, &outputs, Part.index, w, tail, a, rowStride, false)
      w += Block.spreadByteCount
      a += Block.activationByteCount
    }
    for m in 0..<M {
      ISA.storeFloats(out + m * outStride, ISA.output(outputs[m], Part.index))
    }
  }
}

/// A part of the lanes, known where code is made for it.
public protocol PartIndex: SendableMetatype {
  static var index: Int { get }
}
public enum Part0: PartIndex {
  @inlinable @inline(__always) public static var index: Int { 0 }
}
public enum Part1: PartIndex {
  @inlinable @inline(__always) public static var index: Int { 1 }
}
