// Packed files: a GGUF whose matrices lie in panels, as the engine has them in memory. Their types
// are `TensorType.packed`, which other readers refuse; a key tells the version of the layout.
import Base

extension GGUF {
  /// The key with the version of the panels' layout.
  package static let packedVersionKey = "mixtral.packed.version"
  /// The version of the panels that this engine has.
  package static let packedVersion: UInt32 = 1

  /// The first of the tensors that is packed.
  @export(interface)
  package static func packedTensor(
    _ tensors: [StoredTensor]
  ) throws(EngineError) -> StoredTensor? {
    for index in below(tensors.count) {
      let tensor = try tensors.at(index)
      if tensor.type.isPacked { return tensor }
    }
    return nil
  }

  /// Throws `.unsupported` for panels of another layout, and `.malformed` for some that kernels
  /// cannot read where they lie.
  static func checkPacked(_ tensors: [StoredTensor], _ first: GGUFPart) throws(EngineError) {
    guard let tensor = try packedTensor(tensors) else { return }
    let found = try first.metadata.unsigned(packedVersionKey, in: 0...UInt64.max)
    guard found == UInt64(packedVersion) else {
      throw first.file.error(
        .unsupported,
        "tensor \(quoted(tensor.name)) is packed in version "
          + "\(found.map(String.init) ?? "unknown"); supported is \(packedVersion): "
          + "pack the source again")
    }
    for index in below(tensors.count) {
      let tensor = try tensors.at(index)
      guard tensor.type.isPacked, tensor.offset & 7 != 0 else { continue }
      throw first.file.error(
        .malformed,
        "packed tensor \(quoted(tensor.name)) starts at byte \(tensor.offset); allowed is a "
          + "multiple of 8")
    }
  }
}
