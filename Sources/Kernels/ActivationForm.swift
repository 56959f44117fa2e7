// The forms of activations: what a product reads of a row.

/// The form of activations that a matrix's product reads.
public enum ActivationForm: Int, CaseIterable, Sendable {
  case float, blocks32, blocks256

  /// Bytes of a row of `columns` activations.
  public func rowByteCount(columns: Int) -> Int {
    switch self {
    // At most 2^20 columns.
    case .float: columns * 4
    case .blocks32: columns / 32 * Activation32.byteCount
    case .blocks256: columns / 256 * Activation256.byteCount
    }
  }
}
