// Loading and stepping in few words.
import Base
import Formats
import Kernels
import KernelsAVX2
import KernelsAVX512
import KernelsAVXVNNI
import KernelsReference
import Model
import Platform
import Support
import Testing

/// Every table of this processor, the reference first, found as the library finds them.
let tables: [KernelTable] =
  [.reference] + (platform_has_avx2() != 0 ? [.avx2] : [])
  + (platform_has_avxvnni() != 0 ? [.avxvnni] : [])
  + (platform_has_avx512() != 0 ? [.avx512] : [])

/// The table for tests that are not about tables.
let quickest = tables[tables.count - 1]

/// How a test loads.
struct Loading {
  var table = quickest
  var threads = 1
  var window: Int64 = 0
  var used = 0
  var batch = 0

  var options: LoadOptions {
    var options = LoadOptions(table: table)
    options.threads = threads
    options.slidingWindow = window
    options.expertsPerToken = used
    options.batch = batch
    return options
  }
}

/// Loads the model of a file that is written for it.
func load(_ writer: GGUFWriter, _ loading: Loading = Loading()) throws -> Model {
  try withTemporaryDirectory { directory in
    let path = "\(directory)/model.gguf"
    try writer.write(to: path)
    // Typed errors do not pass through `withCString`.
    return try Array(path.utf8CString).withUnsafeBufferPointer { path in
      try Model.load(path: try #require(path.baseAddress), options: loading.options)
    }
  }
}

/// Loads a described model.
func load(_ tiny: TinyModel, _ loading: Loading = Loading()) throws -> Model {
  try load(tiny.writer(), loading)
}

/// Logits as bits: equal means equal.
typealias Bits = [UInt32]

extension Session {
  /// Feeds tokens and gives the logits after the last one.
  @discardableResult
  func step(_ tokens: [Int32]) throws -> Bits {
    try begin()
    defer { exclusiveUse.end() }
    if let error = stepAsBegun(tokens) { throw error }
    return try logitBits()
  }

  /// Feeds tokens to a session that has begun.
  func stepAsBegun(_ tokens: [Int32]) -> EngineError? {
    tokens.withUnsafeBufferPointer { tokens in
      var request = StepRequest(session: self, tokens: tokens)
      withUnsafeMutablePointer(to: &request) {
        model.step(UnsafeMutableBufferPointer(start: $0, count: 1))
      }
      return request.error
    }
  }

  /// Feeds tokens and gives the logits after each.
  func stepEvery(_ tokens: [Int32]) throws -> [Bits] {
    let vocabulary = model.vocabulary
    var logits = [Float](repeating: .nan, count: tokens.count * vocabulary)
    let error = tokens.withUnsafeBufferPointer { tokens in
      logits.withUnsafeMutableBufferPointer { logits in
        var request = StepRequest(
          session: self, tokens: tokens, everyLogits: logits.baseAddress)
        withUnsafeMutablePointer(to: &request) {
          model.step(UnsafeMutableBufferPointer(start: $0, count: 1))
        }
        return request.error
      }
    }
    if let error { throw error }
    return tokens.indices.map { row in
      logits[row * vocabulary..<(row + 1) * vocabulary].map(\.bitPattern)
    }
  }

  /// The logits after the last token.
  func logitBits() throws -> Bits { try withLogits { $0.map(\.bitPattern) } }

  /// All tokens fed so far.
  func allTokens() throws -> [Int32] { try withTokens { Array($0) } }
}

extension Model {
  /// A new session of the model's own context.
  func session(context: Int = 0) throws -> Session {
    try Session.created(model: self, context: context)
  }

  /// Steps several sessions in one call; the errors, one a session.
  func step(_ sessions: [Session], _ tokens: [[Int32]]) -> [EngineError?] {
    // The pointers stay where they are: each copy is of its own and is given back afterwards.
    let copies = tokens.map { tokens in
      let copy = UnsafeMutableBufferPointer<Int32>.allocate(capacity: tokens.count)
      _ = copy.initialize(from: tokens)
      return copy
    }
    defer { for copy in copies { copy.deallocate() } }
    var requests = zip(sessions, copies).map {
      StepRequest(session: $0, tokens: UnsafeBufferPointer($1))
    }
    requests.withUnsafeMutableBufferPointer { step($0) }
    return requests.map(\.error)
  }
}

/// `count` random tokens of a vocabulary.
func randomTokens(_ count: Int, vocabulary: Int = 41, seed: UInt64) -> [Int32] {
  var random = SeededGenerator(seed: seed)
  return (0..<count).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &random) }
}

/// `tokens` cut into steps of the given sizes, in turn.
func cut(_ tokens: [Int32], _ sizes: [Int]) -> [[Int32]] {
  var pieces: [[Int32]] = []
  var start = 0
  while start < tokens.count {
    let end = min(tokens.count, start + sizes[pieces.count % sizes.count])
    pieces.append(Array(tokens[start..<end]))
    start = end
  }
  return pieces
}

/// Expects an error of a kind, with words of a well made sentence.
func expectError(
  _ kind: EngineError.Kind, _ words: [String] = [], _ note: String = "",
  location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("accepted; expected \(kind) \(words) \(note)", sourceLocation: location)
  } catch let error as EngineError {
    #expect(error.kind == kind, "\(error.message) \(note)", sourceLocation: location)
    for word in words {
      #expect(error.message.contains(word), "\(error.message) \(note)", sourceLocation: location)
    }
    #expect(!error.message.hasSuffix("."), sourceLocation: location)
    #expect(error.message.utf8.count <= 1023, sourceLocation: location)
    #expect(error.message.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, sourceLocation: location)
  } catch {
    Issue.record("\(error) \(note)", sourceLocation: location)
  }
}

/// Tests of refused models: kind and gist of every refusal, one change to a good file at a time.
protocol LoadErrorSuite {
  var good: GGUFWriter { get }
}

extension LoadErrorSuite {
  /// Expects a refusal of a good file with one key changed.
  func refused(
    _ key: String, _ value: GGUFWriter.Value?, _ kind: EngineError.Kind, _ words: String...,
    location: SourceLocation = #_sourceLocation
  ) {
    expectError(kind, words, "\(key) \(String(describing: value))", location: location) {
      _ = try accepted(key, value)
    }
  }

  /// Loads a good file with one key changed.
  func accepted(_ key: String, _ value: GGUFWriter.Value?) throws -> Model {
    var writer = good
    writer.set(key, value)
    return try load(writer)
  }
}
