// Rows of activations: the floats that a phase writes, and the forms in which products read them.
import Base
import Kernels

/// Rows of floats.
package struct FloatBuffer {
  package let base: UnsafeMutablePointer<Float>
  /// Floats from row to row.
  package let stride: Int

  package func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * stride }

  /// The same rows, counted from `first`.
  func rows(from first: Int) -> FloatBuffer { FloatBuffer(base: row(first), stride: stride) }

  /// Copies a row over another.
  func move(_ source: Int, to target: Int) {
    row(target).copy(from: row(source), count: stride)
  }
}

/// Rows of activations in each form that some product reads.
package struct Activations {
  /// The values themselves.
  let values: FloatBuffer
  let width: Int
  /// The values where products of plain values read them (`FloatRows`): apart, or `values` itself.
  private let floats: FloatBuffer
  private let blocks32: UnsafeMutableRawPointer
  private let blocks256: UnsafeMutableRawPointer

  /// Where the buffers lie in the memory of a pass.
  struct Offsets {
    let values: Int
    let floats: Int
    let blocks32: Int
    let blocks256: Int
    let width: Int

    /// Room for `rows` times `slots` rows.
    init(_ sizes: inout Sizes, rows: Int, _ slots: Int, width: Int, floatsApart: Bool) {
      let floatCount = slots * padded(width) * 4
      values = sizes.add(rows, floatCount)
      floats = floatsApart ? sizes.add(rows, floatCount) : values
      blocks32 = sizes.add(rows, slots * ActivationForm.blocks32.rowByteCount(columns: width))
      blocks256 = sizes.add(rows, slots * ActivationForm.blocks256.rowByteCount(columns: width))
      self.width = width
    }
  }

  init(_ base: UnsafeMutableRawPointer, _ offsets: Offsets) {
    width = offsets.width
    values = FloatBuffer(
      base: (base + offsets.values).assumingMemoryBound(to: Float.self), stride: padded(width))
    floats = FloatBuffer(
      base: (base + offsets.floats).assumingMemoryBound(to: Float.self), stride: padded(width))
    blocks32 = base + offsets.blocks32
    blocks256 = base + offsets.blocks256
  }

  /// Bytes from row to row in `form`.
  func rowStride(_ form: ActivationForm) -> Int {
    form == .float ? values.stride * 4 : form.rowByteCount(columns: width)
  }

  /// Row `row` as products of `matrix` read it; of interleaved rows the first.
  func input(of matrix: Matrix, _ row: Int) -> UnsafeRawPointer {
    if matrix.form == .float, matrix.tiles == nil { return UnsafeRawPointer(values.row(row)) }
    return UnsafeRawPointer(self.row(row, matrix.form))
  }

  private func row(_ row: Int, _ form: ActivationForm) -> UnsafeMutableRawPointer {
    switch form {
    case .float: UnsafeMutableRawPointer(floats.row(row))
    case .blocks32: blocks32 + row * rowStride(.blocks32)
    case .blocks256: blocks256 + row * rowStride(.blocks256)
    }
  }

  /// Makes the forms of row `row` that products of `rows` read together.
  func prepare(_ row: Int, of rows: Range<Int>, _ forms: FormSet, _ table: KernelTable) {
    let x = values.row(row)
    if forms.contains(FormSet(.float)), hasFloatsApart {
      place(x, row, of: rows, table.floatRows)
    }
    if forms.contains(FormSet(.blocks256)) {
      table.quantize256(x, width / 256, self.row(row, .blocks256))
    }
    if forms.contains(FormSet(.blocks32)) {
      table.quantize32(x, width / 32, self.row(row, .blocks32))
    }
  }

  /// Copies row `source` of `other`, made of `otherRows`, to row `row` of `rows` in some forms.
  func copy(
    _ source: Int, of other: Activations, to row: Int, of rows: Range<Int>, _ forms: FormSet,
    _ floatRows: FloatRows
  ) {
    if forms.contains(FormSet(.float)) { place(other.values.row(source), row, of: rows, floatRows) }
    if forms.contains(FormSet(.blocks32)) { copy(source, of: other, to: row, .blocks32) }
    if forms.contains(FormSet(.blocks256)) { copy(source, of: other, to: row, .blocks256) }
  }

  private func copy(_ source: Int, of other: Activations, to row: Int, _ form: ActivationForm) {
    self.row(row, form).copyMemory(from: other.row(source, form), byteCount: rowStride(form))
  }

  /// Puts `x` where products of plain values of `rows` read row `row`.
  private func place(
    _ x: UnsafePointer<Float>, _ row: Int, of rows: Range<Int>, _ floatRows: FloatRows
  ) {
    floatRows.place(
      x, columns: width, row: row - rows.lowerBound, of: rows.count, floats.row(rows.lowerBound),
      stride: floats.stride)
  }

  /// Whether the products of plain values read other memory than `values`.
  private var hasFloatsApart: Bool { floats.base != values.base }
}
