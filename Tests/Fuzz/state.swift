// Saved sessions: any bytes offered as a state, and edits of states that the library wrote, most
// with checksums that are right again. What is refused leaves the session where it stood; what is
// taken goes on, and saved again and loaded into another model of the same file, with other kernels
// and threads, it goes on with the same bits.
import CMixtral
import Support

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  var choices = Choices(data, size)
  let way = choices.byte()
  let group = Int(way & 1)
  let cache = Int(way >> 1 & 1)
  let stands = Standing.at(
    .init(
      group: group, cache: cache, length: choices.pick([0, 3, 70]),
      context: choices.pick([150, 40, 150, 150])))
  let source = Standing.at(
    .init(
      group: group, cache: way >= 248 ? 1 - cache : cache,
      length: choices.pick([3, 70, 0, 1, 64, 140]), context: 150))
  var bytes: [UInt8]
  if way & 4 == 0 {
    var state = StateParts(source.state, pageByteCount: Standing.pageByteCount(source.place))
    for _ in 0..<choices.below(4) { state.edit(&choices) }
    bytes = state.bytes()
    for _ in 0..<choices.pick([0, 0, 0, 1, 2]) { damage(&bytes, &choices) }
    if choices.byte() < 224 { bytes = sealed(bytes) }
  } else {
    let isSealed = choices.chance()
    bytes = Array(choices.rest())
    if isSealed { bytes = sealed(bytes) }
  }
  offer(bytes, to: stands, from: source, &choices)
  stands.checkUntouched()
  source.checkUntouched()
  return 0
}

/// A session that lasts, and its state; inputs use forks of it.
struct Standing {
  /// The key of such a session.
  struct Place: Hashable {
    var group: Int
    var cache: Int
    var length: Int
    var context: UInt32
  }

  let place: Place
  let session: OpaquePointer?
  let state: [UInt8]

  nonisolated(unsafe) private static var known: [Place: Standing] = [:]

  static func at(_ place: Place) -> Standing {
    var place = place
    // A session never stands beyond its context.
    if place.length > place.context { place.context = 150 }
    if let standing = known[place] { return standing }
    return lasting {
      let session = create(place, model: 0)
      if place.length > 0 {
        let tokens = (0..<place.length).map { mixtral_token(($0 * 7 + 1) % Group.vocabulary) }
        check(mixtral_step(session, tokens, tokens.count), "mixtral_step")
      }
      let standing = Standing(place: place, session: session, state: saved(session))
      known[place] = standing
      return standing
    }
  }

  /// An empty session of one of the two models of a file.
  static func create(_ place: Place, model: Int) -> OpaquePointer? {
    var session: OpaquePointer?
    var options = mixtral_session_options()
    options.struct_size = UInt32(MemoryLayout<mixtral_session_options>.size)
    options.context = place.context
    options.cache_type = UInt32(place.cache)
    let model = Group.models[place.group][model]
    check(mixtral_session_create(&session, model, &options), "mixtral_session_create")
    return session
  }

  /// Bytes of 64 positions: what a state of one token has besides its header, token and logits.
  static func pageByteCount(_ place: Place) -> Int {
    let one = at(.init(group: place.group, cache: place.cache, length: 1, context: 150))
    return one.state.count - StateParts.headerByteCount - 4 - Group.vocabulary * 4
  }

  func fork() -> OpaquePointer? {
    var copy: OpaquePointer?
    check(mixtral_session_fork(&copy, session), "mixtral_session_fork")
    return copy
  }

  func checkUntouched() {
    require(saved(session) == state, "a session is changed by what its fork loads")
  }
}

/// Loads `bytes` into a fork of `stands` and requires what the header says of that.
private func offer(
  _ bytes: [UInt8], to stands: Standing, from source: Standing, _ choices: inout Choices
) {
  let session = stands.fork()
  defer { free(session) }
  let status = load(bytes, into: session, &choices)
  let allowed = [MIXTRAL_MALFORMED, MIXTRAL_UNSUPPORTED, MIXTRAL_CONTEXT_FULL]
  let isOK = check(status, "mixtral_session_load", allowed: allowed)
  let hasHeader = bytes.count >= StateParts.headerByteCount
  require(!isOK || hasHeader && sealed(bytes) == bytes, "a damaged state is loaded")
  let position = hasHeader ? StateParts.position(bytes) : 0
  require(
    status != MIXTRAL_CONTEXT_FULL || position > stands.place.context,
    "CONTEXT_FULL for \(position) tokens: \(lastError())")
  let isUnedited = bytes == source.state && source.place.cache == stands.place.cache
  if isUnedited {
    require(
      isOK == (position <= stands.place.context), "the status of a good state is \(status)")
  }
  guard isOK else {
    require(saved(session) == stands.state, "a state is refused and the session is another")
    let control = stands.fork()
    defer { free(control) }
    goOn(session, control, hasWindow: stands.place.group == 1, &choices)
    return
  }
  checkTaken(session, bytes, stands.place)
  let again = saved(session, throughFile: choices.byte() >= 224)
  if isUnedited { require(again == bytes, "a good state is saved as another") }
  let isSource = isUnedited && stands.place.context == source.place.context && choices.chance()
  let other = isSource ? source.fork() : Standing.create(stands.place, model: 1)
  defer { free(other) }
  if !isSource {
    check(load(again, into: other, &choices), "mixtral_session_load of what was saved")
  }
  require(saved(other) == again, "a state that was loaded is saved as another")
  goOn(session, other, hasWindow: stands.place.group == 1, &choices)
}

/// Checks what a session says that took a state.
private func checkTaken(_ session: OpaquePointer?, _ bytes: [UInt8], _ place: Standing.Place) {
  let state = StateParts(bytes, pageByteCount: Standing.pageByteCount(place))
  var found = mixtral_state()
  found.struct_size = UInt32(MemoryLayout<mixtral_state>.size)
  check(mixtral_session_state(session, &found), "mixtral_session_state")
  require(found.context == place.context, "the context is \(found.context)")
  require(
    found.position == StateParts.position(bytes) && found.position <= place.context,
    "the position is \(found.position)")
  require(found.first_position <= found.position, "the cache begins at \(found.first_position)")
  require(
    found.cache_size == state.pages.reduce(0) { $0 + $1.count },
    "\(state.pages.count) pages are \(found.cache_size) bytes of cache")
  let logits = logits(session)
  require(
    logits == state.logits, "the logits are others than the state's: \(logits.count) of them")
}

/// Goes on with two sessions, which have to be the same: rewinds them now and then, steps four
/// tokens, and draws.
private func goOn(
  _ session: OpaquePointer?, _ other: OpaquePointer?, hasWindow: Bool, _ choices: inout Choices
) {
  let sampler = createSampler(&choices)
  let twin = createSampler(sampler.options)
  defer {
    free(sampler.handle)
    free(twin)
  }
  compare(session, other)
  if choices.byte() >= 192 {
    let target = UInt64(choices.below(Int(position(session)) + 1))
    both(session, other, "mixtral_session_rewind", hasWindow ? [MIXTRAL_INVALID_ARGUMENT] : []) {
      mixtral_session_rewind($0, target)
    }
  }
  let refusals = [MIXTRAL_NUMERIC, MIXTRAL_CONTEXT_FULL]
  for count in [1, 1, 2] {
    let first = draw(session, other, nil, nil)
    let second = draw(session, other, sampler.handle, twin)
    let tokens = count == 1 ? [first ?? second ?? 1] : [second ?? 2, first ?? 39]
    let before = position(session)
    let isOK = both(session, other, "mixtral_step", refusals) {
      mixtral_step($0, tokens, tokens.count)
    }
    let expected = before + (isOK ? UInt64(count) : 0)
    require(position(session) == expected, "a step leads from \(before) to \(position(session))")
    compare(session, other)
    guard isOK else { continue }
    require(
      logits(session).allSatisfy { $0 & 0x7f80_0000 != 0x7f80_0000 },
      "a logit is not finite, and the step was OK")
  }
}

/// Calls for two sessions, whose statuses have to be the same; whether they are OK.
@discardableResult
private func both(
  _ session: OpaquePointer?, _ other: OpaquePointer?, _ name: String, _ allowed: [Int],
  _ body: (OpaquePointer?) -> mixtral_status
) -> Bool {
  let status = body(session)
  let isOK = check(status, name, allowed: allowed)
  let second = body(other)
  require(second == status, "\(name) of equal sessions is \(status) and \(second): \(lastError())")
  return isOK
}

/// The token that two samplers draw from two sessions; nil for none.
private func draw(
  _ session: OpaquePointer?, _ other: OpaquePointer?, _ sampler: OpaquePointer?,
  _ twin: OpaquePointer?
) -> mixtral_token? {
  var tokens: [mixtral_token] = []
  // Without logits: INVALID_ARGUMENT.
  let refusals = [MIXTRAL_NUMERIC, MIXTRAL_INVALID_ARGUMENT]
  let isOK = both(session, other, "mixtral_sample", refusals) { each in
    var token: mixtral_token = -1
    let status = mixtral_sample(&token, each, tokens.isEmpty ? sampler : twin)
    tokens.append(token)
    return status
  }
  require(tokens[0] == tokens[1], "equal sessions draw \(tokens)")
  guard isOK else { return nil }
  require(tokens[0] >= 0 && tokens[0] < Group.vocabulary, "token \(tokens[0]) is drawn")
  return tokens[0]
}

private func compare(_ session: OpaquePointer?, _ other: OpaquePointer?) {
  require(position(session) == position(other), "equal sessions stand at different positions")
  require(logits(session) == logits(other), "equal sessions have other logits")
}

// MARK: calls

private func free(_ object: OpaquePointer?) {
  check(mixtral_free(UnsafeMutableRawPointer(object)), "mixtral_free")
}

private func position(_ session: OpaquePointer?) -> UInt64 {
  var position: UInt64 = 0
  check(mixtral_session_position(&position, session), "mixtral_session_position")
  return position
}

/// The bits of the logits; none when the session has none.
private func logits(_ session: OpaquePointer?) -> [UInt32] {
  var logits = [Float](repeating: 0, count: Group.vocabulary)
  var count = 0
  let status = mixtral_logits(&count, &logits, logits.count, session)
  let isOK = check(status, "mixtral_logits", allowed: [MIXTRAL_INVALID_ARGUMENT])
  require(count == (isOK ? Group.vocabulary : 0), "mixtral_logits gives \(count)")
  return logits[..<count].map(\.bitPattern)
}

private func createSampler(
  _ choices: inout Choices
) -> (handle: OpaquePointer?, options: mixtral_sampler_options) {
  var options = mixtral_sampler_options()
  options.struct_size = UInt32(MemoryLayout<mixtral_sampler_options>.size)
  options.temperature = choices.pick([0, 1, 0.5, 2, 1e-30])
  options.top_k = choices.pick([0, 0, 1, 5])
  options.top_p = choices.pick([0, 0.9, 0.01])
  options.min_p = choices.pick([0, 0, 0.1])
  options.typical_p = choices.pick([0, 0, 0.9])
  options.repetition_penalty = choices.pick([0, 1.1])
  options.frequency_penalty = choices.pick([0, 1])
  options.report = choices.pick([0, 3])
  options.seed = UInt64(choices.byte())
  return (createSampler(options), options)
}

private func createSampler(_ options: mixtral_sampler_options) -> OpaquePointer? {
  var options = options
  var sampler: OpaquePointer?
  check(mixtral_sampler_create(&sampler, &options), "mixtral_sampler_create")
  return sampler
}

private func saved(_ session: OpaquePointer?, throughFile: Bool = false) -> [UInt8] {
  var size = 0
  let asked = mixtral_session_save(&size, nil, 0, session)
  require(asked == MIXTRAL_BUFFER_TOO_SMALL, "mixtral_session_save without a buffer is \(asked)")
  var bytes = [UInt8](repeating: 0, count: size)
  var written = 0
  check(mixtral_session_save(&written, &bytes, size, session), "mixtral_session_save")
  require(written == size, "a state of \(size) bytes has \(written)")
  guard throughFile else { return bytes }
  let path = "\(SharedMemory.folder)/session.state"
  withoutOpenFiles { check(mixtral_session_save_file(session, path), "mixtral_session_save_file") }
  require((try? fileBytes(path)) == bytes, "a state in a file is another than in memory")
  return bytes
}

private let file = MemoryFile()

/// Offers exactly these bytes, in memory or now and then in a file.
private func load(
  _ bytes: [UInt8], into session: OpaquePointer?, _ choices: inout Choices
) -> mixtral_status {
  if choices.byte() >= 224 {
    file.write(bytes)
    var status: mixtral_status = 0
    withoutOpenFiles { status = mixtral_session_load_file(session, file.path) }
    return status
  }
  // No byte of room behind the last, which an array would have.
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { memory.deallocate() }
  memory.copyBytes(from: bytes)
  return mixtral_session_load(session, memory.baseAddress, bytes.count)
}
