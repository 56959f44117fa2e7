// Tokenizing and detokenizing.
import Base
import CMixtral
import Model
import Text

@c @implementation
public func mixtral_tokenize(
  _ count: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutablePointer<mixtral_token>?,
  _ capacity: Int, _ model: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ size: Int,
  _ flags: UInt32
) -> mixtral_status {
  count?.pointee = 0
  return call { () throws(EngineError) in
    let model: Model = try HandleTable.shared.object(model)
    let known = MIXTRAL_TOKENIZE_BOS | MIXTRAL_TOKENIZE_SPECIAL | MIXTRAL_TOKENIZE_CONTINUE
    try checkFlags(flags, UInt32(known))
    guard size >= 0, size <= 1 << 30 else {
      throw EngineError(
        .limitExceeded, "text has \(UInt(bitPattern: size)) bytes; allowed at most 1073741824")
    }
    let bytes = try array(text, size, "text")
    let tokens = try model.tokenizer.encode(
      UnsafeRawBufferPointer(bytes), options: Tokenizer.EncodeOptions(rawValue: flags))
    try writeTokens(tokens, count, buffer, capacity)
  }
}

/// Writes tokens by the buffer convention.
func writeTokens(
  _ tokens: [Int32], _ count: UnsafeMutablePointer<Int>?,
  _ buffer: UnsafeMutablePointer<mixtral_token>?, _ capacity: Int
) throws(EngineError) {
  let out = try outputBuffer(for: tokens.count, count, buffer, capacity)
  tokens.withUnsafeBufferPointer { from in
    if let out, let base = from.baseAddress { out.copy(from: base, count: from.count) }
  }
}

@c @implementation
public func mixtral_detokenize(
  _ size: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ model: OpaquePointer?, _ tokens: UnsafePointer<mixtral_token>?, _ count: Int, _ flags: UInt32
) -> mixtral_status {
  size?.pointee = 0
  return call { () throws(EngineError) in
    let model: Model = try HandleTable.shared.object(model)
    try checkFlags(flags, UInt32(MIXTRAL_DETOKENIZE_SPECIAL | MIXTRAL_DETOKENIZE_CONTINUE))
    let bytes = try model.tokenizer.decode(
      try array(tokens, count, "tokens"), options: Tokenizer.DecodeOptions(rawValue: flags))
    try writeText(bytes, size, buffer, capacity)
  }
}

func checkFlags(_ flags: UInt32, _ known: UInt32) throws(EngineError) {
  guard flags & ~known == 0 else {
    throw EngineError(.invalidArgument, "flags is \(flags); allowed a combination of \(known)")
  }
}

/// A streaming detokenizer behind a handle.
final class Detokenizer: Handled, @unchecked Sendable {
  var decoder: StreamingDecoder
  let exclusiveUse = ExclusiveUse("detokenizer")

  init(_ model: Model, _ options: Tokenizer.DecodeOptions) {
    decoder = StreamingDecoder(tokenizer: model.tokenizer, options: options)
  }

  static var kind: HandleKind { .detokenizer }
  var asHandleObject: HandleObject { .detokenizer(self) }

  static func from(_ object: HandleObject) -> Detokenizer? {
    guard case .detokenizer(let detokenizer) = object else { return nil }
    return detokenizer
  }
}

@c @implementation
public func mixtral_detokenizer_create(
  _ detokenizer: UnsafeMutablePointer<OpaquePointer?>?, _ model: OpaquePointer?, _ flags: UInt32
) -> mixtral_status {
  detokenizer?.pointee = nil
  return call { () throws(EngineError) in
    let out = try need(detokenizer, "the pointer to the detokenizer")
    let model: Model = try HandleTable.shared.object(model)
    try checkFlags(flags, UInt32(MIXTRAL_DETOKENIZE_SPECIAL | MIXTRAL_DETOKENIZE_CONTINUE))
    let created = Detokenizer(model, Tokenizer.DecodeOptions(rawValue: flags))
    out.pointee = try HandleTable.shared.add(created)
  }
}

@c @implementation
public func mixtral_detokenizer_next(
  _ size: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ detokenizer: OpaquePointer?, _ tokens: UnsafePointer<mixtral_token>?, _ count: Int
) -> mixtral_status {
  size?.pointee = 0
  return call { () throws(EngineError) in
    let object: Detokenizer = try HandleTable.shared.object(detokenizer)
    let tokens = try array(tokens, count, "tokens")
    try object.exclusiveUse.hold { () throws(EngineError) in
      // Tried on a copy: a buffer that is too small consumes nothing.
      var decoder = object.decoder
      let bytes = try decoder.next(tokens)
      try writeText(bytes, size, buffer, capacity)
      object.decoder = decoder
    }
  }
}
