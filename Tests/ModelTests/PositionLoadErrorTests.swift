// Files whose numbers for positions mean nothing: rotary embedding, its scaling, sliding windows.
import Base
import Model
import Support
import Testing

private typealias Value = GGUFWriter.Value

@Suite("refused models: rotary embedding and windows")
struct PositionLoadErrorTests: LoadErrorSuite {
  let good = TinyModel.mixture.writer()

  @Test("rotary numbers")
  func rotary() throws {
    let width = "llama.rope.dimension_count"
    refused(width, .uint32(0), .malformed, "is 0")
    refused(width, .uint32(7), .malformed, "is 7", "even")
    refused(width, .uint32(18), .malformed, "is 18", "16")
    let expected = try load(good).session().step([1, 2, 3])
    #expect(try accepted(width, .uint32(16)).session().step([1, 2, 3]) == expected)
    #expect(try accepted(width, .uint32(8)).session().step([1, 2, 3]) != expected)
    let base = "llama.rope.freq_base"
    for bad: Float in [0, -1, .nan, .infinity, -.infinity] {
      refused(base, .float32(bad), .malformed, base)
    }
    #expect(try accepted(base, nil).session().step([1, 2, 3]) == expected)
    refused("llama.rope.scaling.type", .text("yarn"), .unsupported, "'yarn'", "'linear'")
    #expect(
      try accepted("llama.rope.scaling.type", .text("none")).session().step([1, 2, 3]) == expected)
    for bad: Float in [-2, .nan, .infinity] {
      var writer = good
      writer.set("llama.rope.scaling.type", .text("linear"))
      writer.set("llama.rope.scaling.factor", .float32(bad))
      expectError(.malformed, ["llama.rope.scaling.factor"], "\(bad)") { _ = try load(writer) }
    }
    let magnitude = "llama.rope.scaling.attn_factor"
    for bad: Float in [0, -1, .nan, .infinity] {
      refused(magnitude, .float32(bad), .malformed, magnitude)
    }
    #expect(try accepted(magnitude, .float32(1)).session().step([1, 2, 3]) == expected)
    #expect(try accepted(magnitude, .float32(1.25)).session().step([1, 2, 3]) != expected)
  }

  @Test("spellings of linear scaling: the type may be missing, the factor's name be the old one")
  func linearScaling() throws {
    func logits(_ keys: (String, Value)...) throws -> Bits {
      var writer = good
      for (key, value) in keys { writer.set("llama.rope." + key, value) }
      return try load(writer).session().step([1, 2, 3])
    }
    let plain = try logits()
    let scaled = try logits(("scaling.type", .text("linear")), ("scaling.factor", .float32(4)))
    #expect(scaled != plain)
    #expect(try logits(("scaling.factor", .float32(4))) == scaled)
    #expect(try logits(("scale_linear", .float32(4))) == scaled)
    #expect(try logits(("scaling.type", .text("linear")), ("scale_linear", .float32(4))) == scaled)
    #expect(
      try logits(("scaling.factor", .float32(4)), ("scale_linear", .float32(2))) == scaled)
    #expect(try logits(("scaling.factor", .float32(0)), ("scale_linear", .float32(2))) == plain)
    #expect(try logits(("scaling.type", .text("linear"))) == plain)
    #expect(try logits(("scaling.type", .text("none")), ("scaling.factor", .float32(4))) == plain)
    #expect(try logits(("scaling.type", .text("none")), ("scale_linear", .float32(4))) == plain)
    // What nobody reads cannot be wrong.
    #expect(try logits(("scaling.type", .text("none")), ("scaling.factor", .float32(-2))) == plain)
  }

  @Test("a sliding window of any number is read; of another type it is refused")
  func window() throws {
    let key = "llama.attention.sliding_window"
    #expect(try accepted(key, .uint32(0)).shape.slidingWindow == 0)
    #expect(try accepted(key, .uint32(4096)).shape.slidingWindow == 4096)
    refused(key, .text("4096"), .malformed, key)
    refused(key, .int32(-1), .malformed, key)
  }

  @Test("windows of some layers alone are refused; a pattern of all or none is read")
  func windowPattern() throws {
    let key = "llama.attention.sliding_window_pattern"
    func window(_ pattern: Value, _ width: UInt32 = 7, _ loading: Loading = Loading()) throws -> Int
    {
      var writer = good
      writer.set("llama.attention.sliding_window", .uint32(width))
      writer.set(key, pattern)
      return try load(writer, loading).shape.slidingWindow
    }
    func bools(_ values: Bool...) -> Value { .array(.bool, values.map(Value.bool)) }
    #expect(try window(bools(true, true)) == 7)
    #expect(try window(bools(false, false)) == 0)
    #expect(try window(.uint32(0)) == 7)
    #expect(try window(.uint32(1)) == 0)
    // Of two layers, the third would be the first without.
    #expect(try window(.uint32(3)) == 7)
    for mixed in [bools(true, false), bools(false, true), .uint32(2)] {
      expectError(.unsupported, [key, "1 of 2 layers"]) { _ = try window(mixed) }
      // Without a window, and with one of the caller's, the pattern says nothing.
      #expect(try window(mixed, 0) == 0)
      #expect(try window(mixed, 7, Loading(window: -1)) == 0)
      #expect(try window(mixed, 7, Loading(window: 5)) == 5)
    }
    expectError(.malformed, [key, "3 entries", "2"]) { _ = try window(bools(true, true, true)) }
    expectError(.malformed, [key]) { _ = try window(.text("all")) }
  }
}
