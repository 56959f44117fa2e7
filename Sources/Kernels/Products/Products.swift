// The product of every panel type: its family, how its codes are stored, its offset.

/// The products of one instruction set, each over all shapes of tile.
public enum Products<ISA: VectorISA & TileSizes> {
  @inlinable @inline(__always)
  public static func affine32<Codes: CodeStorage>(
    _ codes: Codes.Type, _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>,
    _ outStride: Int
  ) {
    forEachTile(
      ISA.self, Affine32<ISA, Codes, 1>.self, Affine32<ISA, Codes, 8>.self,
      Affine32<ISA, Codes, 4>.self, Affine32<ISA, Codes, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func affine16<Codes: CodeStorage>(
    _ codes: Codes.Type, _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>,
    _ outStride: Int
  ) {
    forEachTile(
      ISA.self, Affine16<ISA, Codes, 1>.self, Affine16<ISA, Codes, 8>.self,
      Affine16<ISA, Codes, 4>.self, Affine16<ISA, Codes, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func offset16<Codes: CodeStorage, Shift: OffsetShift>(
    _ codes: Codes.Type, _ offset: Shift.Type, _ w: UnsafeRawPointer, _ panels: Int,
    _ blocks: Int, _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, _ outStride: Int
  ) {
    forEachTile(
      ISA.self, Offset16<ISA, Codes, Shift, 1>.self, Offset16<ISA, Codes, Shift, 8>.self,
      Offset16<ISA, Codes, Shift, 4>.self, Offset16<ISA, Codes, Shift, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func offset<Codes: CodeStorage, Shift: OffsetShift>(
    _ codes: Codes.Type, _ offset: Shift.Type, _ w: UnsafeRawPointer, _ panels: Int,
    _ blocks: Int, _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, _ outStride: Int
  ) {
    forEachTile(
      ISA.self, OffsetBlock<ISA, Codes, Shift, 1>.self,
      OffsetBlock<ISA, Codes, Shift, 8>.self, OffsetBlock<ISA, Codes, Shift, 4>.self,
      OffsetBlock<ISA, Codes, Shift, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func affine<Codes: CodeStorage>(
    _ codes: Codes.Type, _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>,
    _ outStride: Int
  ) {
    forEachTile(
      ISA.self, AffineBlock<ISA, Codes, 1>.self, AffineBlock<ISA, Codes, 8>.self,
      AffineBlock<ISA, Codes, 4>.self, AffineBlock<ISA, Codes, 2>.self,
      w, panels, blocks, a, rows, rowStride, out, outStride)
  }

  @inlinable @inline(__always)
  public static func float<Values: ValueStorage>(
    _ values: Values.Type, _ w: UnsafeRawPointer, _ panels: Int, _ columns: Int,
    _ a: UnsafeRawPointer, _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>,
    _ outStride: Int
  ) {
    forEachTile(
      ISA.self, FloatColumns<ISA, Values, 1>.self, FloatColumns<ISA, Values, 4>.self,
      FloatColumns<ISA, Values, 4>.self, FloatColumns<ISA, Values, 2>.self,
      w, panels, columns, a, rows, rowStride, out, outStride)
  }
}
