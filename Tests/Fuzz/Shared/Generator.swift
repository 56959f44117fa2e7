// Model files by the fuzzer's choices: a tiny model of any shape that the engine runs, and then a
// few of its rules broken.
import Base
import Formats
import Support

/// Models that were made before: their random weights take longer than a load.
nonisolated(unsafe) private var knownFiles: [String: GGUFWriter] = [:]

private let narrowTypes: [TensorType] = [.q8_0, .f16, .q4_0, .f32, .q5_1, .q5_0, .q4_1, .bf16]
private let wideTypes: [TensorType] = [.q4_K, .q6_K, .q5_K, .q3_K, .q2_K, .f16]

/// A model's description of some 60 KB, most often far less.
func chooseModel(_ choices: inout Choices) -> TinyModel {
  let isWide = choices.byte() >= 240
  var tiny = TinyModel(
    layers: 1 + choices.below(2), hidden: isWide ? 256 : 32, heads: 2, kvHeads: 1,
    feedForward: isWide ? 256 : 32, experts: isWide ? 0 : choices.pick([0, 2, 3]), used: 1,
    vocabulary: choices.pick([16, 17, 40]), context: choices.pick([1000, 2, 70]))
  if isWide { tiny.layers = 1 }
  tiny.headWidth = choices.pick([nil, 2, 6, 16])
  tiny.window = choices.pick([0, 1, 3, 64])
  tiny.tied = choices.chance()
  tiny.merged = choices.chance()
  let types = isWide ? wideTypes : narrowTypes
  tiny.types = (0...choices.below(4)).map { _ in choices.pick(types) }
  // Rows of the output of attention are heads x headWidth wide, which few blocks divide.
  if tiny.headWidth != nil { tiny.types = [.f16, .f32] }
  tiny.outer = choices.pick(types)
  return tiny
}

/// The file of a description.
func file(_ tiny: TinyModel) -> GGUFWriter {
  let key = String(describing: tiny)
  if let known = knownFiles[key] { return known }
  return lasting {
    if knownFiles.count > 256 { knownFiles = [:] }
    let writer = tiny.writer()
    knownFiles[key] = writer
    return writer
  }
}

/// Gives the file a byte-level vocabulary, with merges unless it is Tekken's.
func makeByteLevel(_ writer: inout GGUFWriter, _ choices: inout Choices, vocabulary: Int) {
  let pre = choices.pick(["gpt-2", "smollm", "tekken"])
  let letters = (0..<vocabulary - 3).map { String(UnicodeScalar(UInt8(97 + $0 % 26))) }
  var pieces = ["<unk>", "<s>", "</s>"]
  for (i, letter) in letters.enumerated() { pieces.append(i < 26 ? letter : "a\(letter)") }
  writer.set("tokenizer.ggml.model", .text("gpt2"))
  writer.set("tokenizer.ggml.pre", .text(pre))
  writer.set("tokenizer.ggml.tokens", .texts(pieces))
  writer.set("tokenizer.ggml.scores", nil)
  let merges = (0..<choices.below(8)).map { _ in
    choices.byte() >= 224
      ? String(decoding: choices.text(5), as: UTF8.self)
      : "a \(choices.pick(letters))"
  }
  writer.set("tokenizer.ggml.merges", .texts(merges))
}

/// A rule of the format or of the model that a file may break.
private enum Rule: CaseIterable {
  case tensorCount, keyCount, version, magic, alignment
  case keyValue, keyType, keyName, keyMissing, keyTwice, stringLength, arrayCount, arrayType
  case tensorName, tensorDimension, tensorDimensions, tensorType, tensorOffset, tensorMissing
  case tensorTwice, tensorBytes, weights, ropeFactors
  case hyperparameter, token, tokenType, score, specialToken, tokenArrays
}

/// Breaks one rule of the file.
func breakRule(_ writer: inout GGUFWriter, _ choices: inout Choices) {
  let rule = choices.pick(Rule.allCases)
  switch rule {
  case .tensorCount: writer.claimedTensorCount = choices.number()
  case .keyCount: writer.claimedKeyCount = choices.number()
  case .version: writer.version = UInt32(truncatingIfNeeded: choices.number())
  case .magic: writer.magic[choices.below(4)] = choices.byte()
  case .alignment:
    writer.alignment = choices.pick([8, 16, 64, 4096, 1, 33])
    let claimed = choices.chance() ? UInt64(writer.alignment) : choices.number()
    writer.set("general.alignment", value(claimed, &choices))
  case .keyValue, .keyType, .keyName, .keyMissing, .keyTwice, .stringLength, .arrayCount,
    .arrayType:
    breakKey(rule, &writer, &choices)
  case .hyperparameter, .token, .tokenType, .score, .specialToken, .tokenArrays:
    breakModel(rule, &writer, &choices)
  default: breakTensor(rule, &writer, &choices)
  }
}

/// A number in one of the types that numbers have.
private func value(_ number: UInt64, _ choices: inout Choices) -> GGUFWriter.Value {
  switch choices.below(10) {
  case 1: .uint8(UInt8(truncatingIfNeeded: number))
  case 2: .int8(Int8(truncatingIfNeeded: number))
  case 3: .uint16(UInt16(truncatingIfNeeded: number))
  case 4: .int32(Int32(truncatingIfNeeded: number))
  case 5: .uint64(number)
  case 6: .int64(Int64(truncatingIfNeeded: number))
  case 7: .float32(Float(bitPattern: UInt32(truncatingIfNeeded: number)))
  case 8: .float64(Double(bitPattern: number))
  case 9: .bool(number & 1 == 1)
  default: .uint32(UInt32(truncatingIfNeeded: number))
  }
}

private func breakKey(_ rule: Rule, _ writer: inout GGUFWriter, _ choices: inout Choices) {
  guard !writer.keys.isEmpty else { return }
  let place = choices.below(writer.keys.count)
  switch rule {
  case .keyValue: writer.keys[place].value = value(choices.number(), &choices)
  case .keyType:
    writer.keys[place].value = .raw(
      type: UInt32(truncatingIfNeeded: choices.number()), choices.text(32))
  case .keyName: writer.keys[place].key = choices.text(40)
  case .keyMissing: writer.keys.remove(at: place)
  case .keyTwice: writer.keys.append(writer.keys[place])
  case .stringLength:
    var bytes = ByteBuilder()
    bytes.integer(choices.number())
    writer.keys[place].value = .raw(type: MetadataType.string.rawValue, bytes.bytes)
  default:
    var bytes = ByteBuilder()
    bytes.integer(UInt32(truncatingIfNeeded: rule == .arrayType ? choices.number() : 8))
    bytes.integer(rule == .arrayCount ? choices.number() : 1)
    bytes.bytes += choices.text(24)
    writer.keys[place].value = .raw(type: MetadataType.array.rawValue, bytes.bytes)
  }
}

private func breakTensor(_ rule: Rule, _ writer: inout GGUFWriter, _ choices: inout Choices) {
  guard !writer.tensors.isEmpty else { return }
  let place = choices.below(writer.tensors.count)
  switch rule {
  case .tensorName: writer.tensors[place].name = choices.text(70)
  case .tensorDimension:
    let dimensions = writer.tensors[place].dimensions.count
    guard dimensions > 0 else { return }
    writer.tensors[place].dimensions[choices.below(dimensions)] = choices.number()
  case .tensorDimensions:
    writer.tensors[place].dimensions = (0..<choices.below(6)).map { _ in choices.number() }
  case .tensorType:
    writer.tensors[place].type = UInt32(truncatingIfNeeded: choices.number())
  case .tensorOffset: writer.tensors[place].claimedOffset = choices.number()
  case .tensorMissing: writer.tensors.remove(at: place)
  case .tensorTwice: writer.tensors.append(writer.tensors[place])
  case .tensorBytes:
    let count = writer.tensors[place].bytes.count
    writer.tensors[place].bytes.removeLast(min(count, 1 + choices.below(256)))
  case .ropeFactors:
    let count = choices.pick([1, 2, 3, 8, 16])
    writer.addTensor(
      "rope_freqs.weight", [count],
      floats: (0..<count).map { _ in Float(bitPattern: choices.bits()) })
  default:
    guard !writer.tensors[place].bytes.isEmpty else { return }
    for _ in 0...choices.below(8) {
      let size = writer.tensors[place].bytes.count
      let at = (choices.below(256) << 8 | choices.below(256)) % size
      writer.tensors[place].bytes[at] = choices.byte()
    }
  }
}

private func breakModel(_ rule: Rule, _ writer: inout GGUFWriter, _ choices: inout Choices) {
  let prefix = "tokenizer.ggml."
  switch rule {
  case .hyperparameter:
    let name = choices.pick([
      "block_count", "context_length", "embedding_length", "feed_forward_length",
      "attention.head_count", "attention.head_count_kv", "attention.key_length",
      "attention.value_length", "attention.sliding_window", "attention.layer_norm_rms_epsilon",
      "expert_count", "expert_used_count", "rope.freq_base", "rope.dimension_count",
      "rope.scaling.factor", "rope.scale_linear",
    ])
    writer.set("llama." + name, value(choices.number(), &choices))
    if name == "rope.scaling.factor" { writer.set("llama.rope.scaling.type", .text("linear")) }
  case .specialToken:
    let name = choices.pick([
      "bos_token_id", "eos_token_id", "unknown_token_id", "padding_token_id", "add_bos_token",
      "add_eos_token", "add_space_prefix",
    ])
    writer.set(prefix + name, value(choices.number(), &choices))
  case .token:
    change("tokens", &writer, &choices) { elements, choices in
      elements[choices.below(elements.count)] = .string(choices.text(20))
    }
  case .tokenType:
    change("token_type", &writer, &choices) { elements, choices in
      elements[choices.below(elements.count)] =
        .int32(Int32(truncatingIfNeeded: choices.below(9)) - 1)
    }
  case .score:
    change("scores", &writer, &choices) { elements, choices in
      elements[choices.below(elements.count)] =
        choices.chance()
        ? .float32(Float(choices.byte())) : .float32(Float(bitPattern: choices.bits()))
    }
  default:
    change(choices.pick(["tokens", "scores", "token_type"]), &writer, &choices) {
      elements, choices in
      if choices.chance() {
        elements.removeLast(choices.below(elements.count) + 1)
      } else {
        elements += elements
      }
    }
  }
}

/// Changes the elements of an array of the tokenizer.
private func change(
  _ name: String, _ writer: inout GGUFWriter, _ choices: inout Choices,
  _ body: (inout [GGUFWriter.Value], inout Choices) -> Void
) {
  let key = Array("tokenizer.ggml.\(name)".utf8)
  guard let place = writer.keys.firstIndex(where: { $0.key == key }),
    case .array(let type, var elements) = writer.keys[place].value, !elements.isEmpty
  else { return }
  body(&elements, &choices)
  writer.keys[place].value = .array(type, elements)
}
