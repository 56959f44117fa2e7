// Tokens to bytes. Whole sequences and streams share the one step `appendText`.
import Base
import Formats

extension Tokenizer {
  /// The memory of decoding between two tokens: whether the next text may lose its leading space.
  struct DecodingState: Sendable {
    var stripsSpace: Bool
  }

  /// The state before the first token.
  func decodingState(_ options: DecodeOptions) -> DecodingState {
    DecodingState(stripsSpace: addsSpacePrefix && !options.contains(.continuation))
  }

  /// The bytes of `tokens`, each in 0..<`rows`; perhaps not whole UTF-8 characters.
  ///
  /// Throws `invalidArgument` with the index of an id out of range, and `outOfMemory`.
  @export(interface)
  package func decode(
    _ tokens: UnsafeBufferPointer<Int32>, options: DecodeOptions
  ) throws(EngineError) -> [UInt8] {
    var state = decodingState(options)
    var output = Growable<UInt8>()
    unsafe try appendText(of: tokens, options, &state, to: &output)
    return try output.array()
  }

  /// Appends the bytes of `tokens`; throws before writing anything when an id is out of range.
  func appendText(
    of tokens: UnsafeBufferPointer<Int32>, _ options: DecodeOptions,
    _ state: inout DecodingState, to output: inout Growable<UInt8>
  ) throws(EngineError) {
    var index = 0
    while index < tokens.count {
      let id = unsafe tokens[index]
      guard id >= 0, id < rows else {
        throw EngineError(
          .invalidArgument, "token \(index) is \(id); allowed 0..\(rows &- 1)")
      }
      index &+= 1
    }
    index = 0
    while index < tokens.count {
      try appendText(of: Int(unsafe tokens[index]), options, &state, to: &output)
      index &+= 1
    }
  }

  private func appendText(
    of id: Int, _ options: DecodeOptions, _ state: inout DecodingState,
    to output: inout Growable<UInt8>
  ) throws(EngineError) {
    guard id < vocabulary.count else { return }
    let surfaces = vocabulary.surfaces
    var range = try surfaces.range(id)
    switch try vocabulary.types.at(id) {
    case .unknown where isSentencePiece:
      // SentencePiece's surface of the unknown piece: a space, U+2047, a space.
      let surface: [UInt8] = [0x20, 0xE2, 0x81, 0x87, 0x20]
      try output.append(surface, surface.indices)
      state.stripsSpace = false
      return
    case .control, .unknown:
      guard options.contains(.special) else { return }
    case .normal, .userDefined, .unused:
      if state.stripsSpace, !range.isEmpty, try surfaces.bytes.at(range.lowerBound) == 0x20 {
        range = try checkedRange(range.lowerBound &+ 1, range.upperBound)
        state.stripsSpace = false
      }
    case .byte: break
    }
    if !range.isEmpty { state.stripsSpace = false }
    try output.append(surfaces.bytes, range)
  }
}
