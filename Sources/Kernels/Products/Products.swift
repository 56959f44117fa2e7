// The product of every panel type: its family, how its codes are stored, its offset.

/// The products of one instruction set, each over all shapes of tile.
public enum Products<ISA: ProductISA> {
  @inlinable @inline(__always)
  public static func affine32<Codes: CodeStorage>(
    _ codes: Codes.Type, _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>,
    _ outStride: Int
  ) {
    forEachTile(
      ISA.self, SuperblockPanel<Affine32<ISA, Codes>, 1>.self,
      SuperblockPanel<Affine32<ISA, Codes>, 8>.self,
      SuperblockPanel<Affine32<ISA, Codes>, 4>.self, SuperblockPanel<Affine32<ISA, Codes>, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func affine16<Codes: CodeStorage>(
    _ codes: Codes.Type, _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>,
    _ outStride: Int
  ) {
    forEachTile(
      ISA.self, SuperblockPanel<Affine16<ISA, Codes>, 1>.self,
      SuperblockPanel<Affine16<ISA, Codes>, 8>.self,
      SuperblockPanel<Affine16<ISA, Codes>, 4>.self, SuperblockPanel<Affine16<ISA, Codes>, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func offset16<Codes: CodeStorage, Shift: OffsetShift>(
    _ codes: Codes.Type, _ offset: Shift.Type, _ w: UnsafeRawPointer, _ panels: Int,
    _ blocks: Int, _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, _ outStride: Int
  ) {
    forEachTile(
      ISA.self, SuperblockPanel<Offset16<ISA, Codes, Shift>, 1>.self,
      SuperblockPanel<Offset16<ISA, Codes, Shift>, 8>.self,
      SuperblockPanel<Offset16<ISA, Codes, Shift>, 4>.self,
      SuperblockPanel<Offset16<ISA, Codes, Shift>, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func offset<Codes: CodeStorage, Shift: OffsetShift>(
    _ codes: Codes.Type, _ offset: Shift.Type, _ w: UnsafeRawPointer, _ panels: Int,
    _ blocks: Int, _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, _ outStride: Int
  ) {
    forEachTile(
      ISA.self, BlockPanel<OffsetBlock<ISA, Codes, Shift>, 1>.self,
      BlockPanel<OffsetBlock<ISA, Codes, Shift>, 8>.self,
      BlockPanel<OffsetBlock<ISA, Codes, Shift>, 4>.self,
      BlockPanel<OffsetBlock<ISA, Codes, Shift>, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func bytes(
    _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int, _ a: UnsafeRawPointer, _ rows: Int,
    _ rowStride: Int, _ out: UnsafeMutablePointer<Float>, _ outStride: Int
  ) {
    forEachTile(
      ISA.self, BlockPanel<ByteBlock<ISA>, 1>.self, BlockPanel<ByteBlock<ISA>, 8>.self,
      BlockPanel<ByteBlock<ISA>, 4>.self, BlockPanel<ByteBlock<ISA>, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func affine<Codes: CodeStorage>(
    _ codes: Codes.Type, _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>,
    _ outStride: Int
  ) {
    forEachTile(
      ISA.self, BlockPanel<AffineBlock<ISA, Codes>, 1>.self,
      BlockPanel<AffineBlock<ISA, Codes>, 8>.self,
      BlockPanel<AffineBlock<ISA, Codes>, 4>.self, BlockPanel<AffineBlock<ISA, Codes>, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  /// Up to six rows at once: with four chains each in single registers, else one chain after the
  /// other.
  ///
  /// With four rows a column's five loads take longer than its four FMA (Zen 5, F16: 73 and 79 % of
  /// the FMA peak); more than six have no room for four chains each.
  @inlinable @inline(__always)
  public static func float<Values: ValueStorage>(
    _ values: Values.Type, _ w: UnsafeRawPointer, _ panels: Int, _ columns: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>,
    _ outStride: Int
  ) {
    if ISA.parts == 1 {
      forEachTile(
        ISA.self, FloatColumns<ISA, Values, 1, 4>.self, FloatColumns<ISA, Values, 6, 4>.self,
        FloatColumns<ISA, Values, 4, 4>.self, FloatColumns<ISA, Values, 2, 4>.self,
        w, panels, columns, a, rows, rowStride, out, outStride)
    } else {
      forEachTile(
        ISA.self, FloatColumns<ISA, Values, 1, 4>.self, FloatColumns<ISA, Values, 4, 1>.self,
        FloatColumns<ISA, Values, 4, 1>.self, FloatColumns<ISA, Values, 2, 2>.self,
        w, panels, columns, a, rows, rowStride, out, outStride)
    }
  }

  /// Interleaved rows (`FloatRows`).
  @inlinable @inline(__always)
  public static func tiles<Values: ValueStorage>(
    _ values: Values.Type, _ w: UnsafeRawPointer, _ panels: Int, _ columns: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ out: UnsafeMutablePointer<Float>, _ outStride: Int,
    _ workspace: UnsafeMutableRawPointer
  ) {
    for panel in 0..<panels {
      let w = w + panel &* columns &* Values.byteCount
      let out = out + panel &* 16
      if ISA.interleavedRows == 16 {
        FloatTiles<ISA, Values, 16>.run(w, columns, a, rows, out, outStride, workspace)
      } else {
        FloatTiles<ISA, Values, 6>.run(w, columns, a, rows, out, outStride, workspace)
      }
    }
  }
}
