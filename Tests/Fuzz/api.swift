// Programs of calls in any order, with living, freed, foreign and wrong handles and any parameters.
// Every status has to fit what is known of the objects; at the end a session's logits have to be
// those of another model of the same file, with other kernels and threads, fed in one step.
import CMixtral
import Support

/// Two files, each loaded twice, and what their metadata says. They outlive every program.
private struct Group {
  static let vocabulary = 40
  static let sources = [
    TinyModel(
      layers: 1, hidden: 32, heads: 2, feedForward: 32, experts: 2, used: 1, vocabulary: 40,
      context: 150),
    TinyModel(
      layers: 2, hidden: 32, heads: 2, kvHeads: 1, feedForward: 32, experts: 0, vocabulary: 40,
      context: 300, window: 5),
  ]
  nonisolated(unsafe) static let models: [[OpaquePointer]] = sources.map { tiny in
    let path = "\(SharedMemory.folder)/source.gguf"
    SharedMemory.write(tiny.writer().bytes(), path)
    defer { SharedMemory.remove(path) }
    return [(MIXTRAL_ISA_AUTO, 1), (MIXTRAL_ISA_REFERENCE, 2)].map { isa, threads in
      var model: OpaquePointer?
      var options = Loading(isa: isa).options
      options.threads = UInt32(threads)
      options.batch = UInt32(threads * 3)
      check(mixtral_load(&model, path, &options), "mixtral_load")
      guard let model else { finding("no model") }
      return model
    }
  }
}

/// What a filter may try to use: the session and the sampler of the draw that runs.
nonisolated(unsafe) private var drawing: (session: OpaquePointer?, sampler: OpaquePointer?)

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  var calls = Calls()
  var choices = Choices(data, size)
  for (group, models) in Group.models.enumerated() {
    for model in models { _ = calls.pool.add(model, .model, group: group) }
  }
  var count = 0
  while !choices.isEmpty, count < 60 {
    calls.call(&choices)
    count += 1
  }
  calls.finish()
  return 0
}

private struct Calls {
  var pool = Pool()

  mutating func call(_ choices: inout Choices) {
    switch choices.below(18) {
    case 0: createSession(&choices)
    case 1, 2: step(&choices)
    case 3: stepMany(&choices)
    case 4: stepLogits(&choices)
    case 5: readLogits(&choices)
    case 6: rewind(&choices)
    case 7: fork(&choices)
    case 8: createSampler(&choices)
    case 9, 10: sample(&choices)
    case 11: report(&choices)
    case 12: text(&choices)
    case 13: createDetokenizer(&choices)
    case 14: detokenize(&choices)
    case 15: free(&choices)
    case 16: describe(&choices)
    default: cancel(&choices)
    }
  }

  /// Checks a status against whether the handles were good; whether it is OK.
  private func judge(
    _ status: mixtral_status, _ name: String, known: Bool, allowed: [Int] = []
  ) -> Bool {
    // Which of two mistakes is told is not said.
    let good = known ? allowed : allowed + [MIXTRAL_INVALID_HANDLE, MIXTRAL_INVALID_ARGUMENT]
    let isOK = check(status, name, allowed: good)
    require(known || !isOK, "\(name) is OK with a bad handle")
    return isOK
  }

  private func tokens(_ choices: inout Choices) -> [mixtral_token] {
    let most = choices.byte() >= 240 ? 120 : 8
    return (0..<choices.below(most)).map { _ in
      let id = mixtral_token(choices.byte())
      return id < 250 ? id % 40 : [-1, 40, .max, .min, 41, 39][Int(id) - 250]
    }
  }

  private func areGood(_ tokens: [mixtral_token]) -> Bool {
    !tokens.isEmpty && tokens.allSatisfy { $0 >= 0 && $0 < Int64(Group.vocabulary) }
  }

  // MARK: sessions

  private mutating func createSession(_ choices: inout Choices) {
    guard pool.objects.count < 40 else { return }
    let model = pool.choose(.model, &choices)
    let known = pool.find(model, .model)
    var options = mixtral_session_options()
    options.context = choices.pick([0, 0, 1, 7, 64, 200, 16_777_216, 16_777_217])
    options.cache_type = choices.byte() >= 250 ? 2 : UInt32(choices.below(2))
    options.reserved = choices.byte() >= 250 ? 1 : 0
    let size = structSize(mixtral_session_options.self, &choices)
    var session: OpaquePointer?
    let status = withOptions(options, size: size, tail: choices.byte() >= 250 ? 1 : 0) {
      mixtral_session_create(&session, model, $0)
    }
    let allowed = [MIXTRAL_INVALID_ARGUMENT, MIXTRAL_UNSUPPORTED]
    guard judge(status, "mixtral_session_create", known: known != nil, allowed: allowed) else {
      require(session == nil, "mixtral_session_create fails and gives a session")
      return
    }
    guard let known else { return }
    let place = pool.add(session, .session, group: pool.objects[known].group)
    var state = mixtral_state()
    state.struct_size = UInt32(MemoryLayout<mixtral_state>.size)
    check(mixtral_session_state(session, &state), "mixtral_session_state")
    require(state.position == 0 && state.context > 0, "a new session stands somewhere")
    pool.objects[place].context = Int(state.context)
    pool.objects[place].model = model
    // A struct that ends before the field leaves it at its default.
    pool.objects[place].cacheType = size < 12 ? MIXTRAL_CACHE_F16 : Int(options.cache_type)
  }

  /// Takes over what a session says after it was fed `tokens`.
  private mutating func settle(_ place: Int, _ tokens: [mixtral_token], _ isOK: Bool) {
    var position: UInt64 = 0
    let status = mixtral_session_position(&position, pool.objects[place].handle)
    check(status, "mixtral_session_position")
    let all = pool.objects[place].tokens + tokens
    require(position <= all.count, "a session stands beyond what it was fed")
    require(!isOK || position == all.count, "a step is OK and the session does not stand there")
    pool.objects[place].tokens = Array(all.prefix(Int(position)))
  }

  /// Statuses of feeding `tokens` to a known session.
  private func refusals(_ place: Int, _ tokens: [mixtral_token]) -> [Int] {
    let known = pool.objects[place]
    var allowed: [Int] = []
    if !areGood(tokens) { allowed.append(MIXTRAL_INVALID_ARGUMENT) }
    if known.tokens.count + tokens.count > known.context { allowed.append(MIXTRAL_CONTEXT_FULL) }
    return allowed
  }

  private mutating func step(_ choices: inout Choices) {
    let session = pool.choose(.session, &choices)
    let tokens = tokens(&choices)
    guard let place = pool.find(session, .session) else {
      _ = judge(mixtral_step(session, tokens, tokens.count), "mixtral_step", known: false)
      return
    }
    let allowed = refusals(place, tokens)
    let status = mixtral_step(session, tokens, tokens.count)
    let isOK = judge(status, "mixtral_step", known: true, allowed: allowed)
    require(!isOK || allowed.isEmpty, "mixtral_step takes what it should refuse")
    settle(place, tokens, isOK)
  }

  private mutating func stepMany(_ choices: inout Choices) {
    let count = choices.below(5)
    let sessions = (0..<count).map { _ in pool.choose(.session, &choices) }
    let fed = (0..<count).map { _ in tokens(&choices) }
    let copies = fed.map { tokens in
      let copy = UnsafeMutablePointer<mixtral_token>.allocate(capacity: max(tokens.count, 1))
      copy.initialize(from: tokens, count: tokens.count)
      return copy
    }
    defer { for copy in copies { copy.deallocate() } }
    let inputs = zip(copies, fed).map {
      mixtral_input(tokens: UnsafePointer($0), count: UInt64($1.count))
    }
    var statuses = [mixtral_status](repeating: -1, count: count)
    let status = mixtral_step_many(sessions, inputs, count, &statuses)
    check(
      status, "mixtral_step_many",
      allowed: [MIXTRAL_INVALID_ARGUMENT, MIXTRAL_INVALID_HANDLE, MIXTRAL_CONTEXT_FULL])
    guard count > 0 else { return }
    let places = sessions.compactMap { pool.find($0, .session) }
    let isRefused =
      Set(places).count < places.count || Set(places.map { pool.objects[$0].model }).count > 1
    if isRefused {
      require(status == MIXTRAL_INVALID_ARGUMENT, "a session twice or of another model steps")
      for place in places { settle(place, [], true) }
      return
    }
    require(
      (status == 0) == statuses.allSatisfy { $0 == 0 },
      "mixtral_step_many returns \(status) with the statuses \(statuses)")
    for i in 0..<count {
      guard let place = pool.find(sessions[i], .session) else {
        require(statuses[i] == MIXTRAL_INVALID_HANDLE, "a bad handle steps among many")
        continue
      }
      let isOK = statuses[i] == 0
      let refusals = refusals(place, fed[i])
      require(
        isOK ? refusals.isEmpty : refusals.contains(Int(statuses[i])),
        "session \(i) of many has the status \(statuses[i])")
      settle(place, isOK ? fed[i] : [], isOK)
    }
  }

  private mutating func stepLogits(_ choices: inout Choices) {
    let session = pool.choose(.session, &choices)
    let tokens = tokens(&choices)
    let needed = tokens.count * Group.vocabulary
    let capacity = choices.byte() >= 224 ? choices.below(needed + 1) : needed
    let logits = UnsafeMutablePointer<Float>.allocate(capacity: capacity)
    defer { logits.deallocate() }
    var written = 1
    let status = mixtral_step_logits(&written, logits, capacity, session, tokens, tokens.count)
    let place = pool.find(session, .session)
    var allowed = place.map { refusals($0, tokens) } ?? []
    if capacity < needed { allowed.append(MIXTRAL_BUFFER_TOO_SMALL) }
    let isOK = judge(status, "mixtral_step_logits", known: place != nil, allowed: allowed)
    require(!isOK || (written == needed && allowed.isEmpty), "mixtral_step_logits is OK with \(written)")
    if let place { settle(place, tokens, isOK) }
  }

  private mutating func readLogits(_ choices: inout Choices) {
    let session = pool.choose(.session, &choices)
    let capacity = choices.byte() >= 224 ? choices.below(Group.vocabulary) : Group.vocabulary
    let logits = UnsafeMutablePointer<Float>.allocate(capacity: capacity)
    defer { logits.deallocate() }
    var count = 0
    let status = mixtral_logits(&count, logits, capacity, session)
    let isOK = judge(
      status, "mixtral_logits", known: pool.find(session, .session) != nil,
      allowed: [MIXTRAL_INVALID_ARGUMENT, MIXTRAL_BUFFER_TOO_SMALL])
    guard isOK else { return }
    require(count == Group.vocabulary && capacity >= count, "mixtral_logits is OK with \(count)")
    require((0..<count).allSatisfy { logits[$0].isFinite }, "a logit is not finite")
  }

  private mutating func rewind(_ choices: inout Choices) {
    let session = pool.choose(.session, &choices)
    let place = pool.find(session, .session)
    let all = place.map { pool.objects[$0].tokens.count } ?? 0
    let position = choices.byte() >= 240 ? choices.number() : UInt64(choices.below(all + 2))
    let status = mixtral_session_rewind(session, position)
    let isOK = judge(
      status, "mixtral_session_rewind", known: place != nil, allowed: [MIXTRAL_INVALID_ARGUMENT])
    guard let place else { return }
    require(!isOK || position <= all, "mixtral_session_rewind goes forward")
    let hasWindow = pool.objects[place].group == 1
    require(isOK || hasWindow || position > all, "mixtral_session_rewind refuses \(position)")
    if isOK { pool.objects[place].tokens.removeLast(all - Int(position)) }
    settle(place, [], true)
  }

  private mutating func fork(_ choices: inout Choices) {
    guard pool.objects.count < 40 else { return }
    let session = pool.choose(.session, &choices)
    let place = pool.find(session, .session)
    var copy: OpaquePointer?
    let status = mixtral_session_fork(&copy, session)
    guard judge(status, "mixtral_session_fork", known: place != nil), let place else { return }
    let made = pool.add(copy, .session, group: pool.objects[place].group)
    pool.objects[made].tokens = pool.objects[place].tokens
    pool.objects[made].model = pool.objects[place].model
    pool.objects[made].context = pool.objects[place].context
    pool.objects[made].cacheType = pool.objects[place].cacheType
    settle(made, [], true)
  }

  // MARK: sampling

  private mutating func createSampler(_ choices: inout Choices) {
    guard pool.objects.count < 40 else { return }
    func float(_ choices: inout Choices) -> Float {
      let way = choices.byte()
      if way >= 248 { return Float(bitPattern: choices.bits()) }
      return way < 100 ? 0 : [1, 0.5, 0.9, 0.01, 1.1, 2, -1, 1e-30, 100][Int(way) % 9]
    }
    var options = mixtral_sampler_options()
    options.top_k = choices.pick([0, 0, 1, 5, 1000, .max])
    options.temperature = float(&choices)
    options.top_p = float(&choices)
    options.min_p = float(&choices)
    options.typical_p = float(&choices)
    options.repetition_penalty = float(&choices)
    options.frequency_penalty = float(&choices)
    options.presence_penalty = float(&choices)
    options.penalty_window = UInt32(choices.below(9))
    options.report = choices.pick([0, 0, 1, 3, 40, 41, .max])
    options.reserved = choices.byte() >= 250 ? 1 : 0
    options.seed = UInt64(choices.byte())
    let bias = (0..<choices.below(4)).map { _ in
      mixtral_logit_bias(
        token: mixtral_token(choices.below(42)),
        bias: choices.pick([-.infinity, 1, -1, 1e30, .infinity, .nan, 0]))
    }
    // 0 is no filter; the others are what the filter does.
    let mode = choices.below(10)
    if mode > 0 {
      options.filter = filter
      options.user = UnsafeMutableRawPointer(bitPattern: mode)
    }
    let size = structSize(mixtral_sampler_options.self, &choices)
    var sampler: OpaquePointer?
    let status = bias.withUnsafeBufferPointer { bias in
      options.bias = bias.baseAddress
      options.bias_count = UInt64(bias.count)
      return withOptions(options, size: size) { mixtral_sampler_create(&sampler, $0) }
    }
    let allowed = [MIXTRAL_INVALID_ARGUMENT, MIXTRAL_UNSUPPORTED, MIXTRAL_LIMIT_EXCEEDED]
    guard check(status, "mixtral_sampler_create", allowed: allowed) else {
      require(sampler == nil, "mixtral_sampler_create fails and gives a sampler")
      return
    }
    _ = pool.add(sampler, .sampler)
  }

  private mutating func sample(_ choices: inout Choices) {
    let session = pool.choose(.session, &choices)
    let sampler = choices.chance() ? pool.choose(.sampler, &choices) : nil
    let known =
      pool.find(session, .session) != nil && (sampler == nil || pool.find(sampler, .sampler) != nil)
    drawing = (session, sampler)
    var token: mixtral_token = -1
    let status = mixtral_sample(&token, session, sampler)
    drawing = (nil, nil)
    let isOK = judge(
      status, "mixtral_sample", known: known,
      allowed: [MIXTRAL_INVALID_ARGUMENT, MIXTRAL_NUMERIC, MIXTRAL_CANCELLED])
    if isOK { require((0..<40).contains(token), "token \(token) is drawn") }
    if isOK, let place = pool.find(session, .session) {
      let status = mixtral_step(session, &token, 1)
      let allowed = refusals(place, [token])
      settle(place, [token], judge(status, "mixtral_step", known: true, allowed: allowed))
    }
  }

  private mutating func report(_ choices: inout Choices) {
    let sampler = pool.choose(.sampler, &choices)
    let capacity = choices.below(43)
    let candidates = UnsafeMutablePointer<mixtral_candidate>.allocate(capacity: capacity)
    defer { candidates.deallocate() }
    var count = 0
    let status = mixtral_sample_report(&count, candidates, capacity, sampler)
    let isOK = judge(
      status, "mixtral_sample_report", known: pool.find(sampler, .sampler) != nil,
      allowed: [MIXTRAL_INVALID_ARGUMENT, MIXTRAL_BUFFER_TOO_SMALL])
    guard isOK else { return }
    require(count >= 1 && count <= min(41, capacity), "a report of \(count)")
    for i in 0..<count {
      let candidate = candidates[i]
      require((0..<40).contains(candidate.token), "token \(candidate.token) is reported")
      require(candidate.log_probability <= 0.001, "a probability above 1")
    }
  }

  // MARK: text

  private mutating func text(_ choices: inout Choices) {
    let model = pool.choose(.model, &choices)
    let text = choices.text(20).map(CChar.init(bitPattern:))
    let flags = choices.byte() >= 250 ? UInt32(truncatingIfNeeded: choices.number()) : UInt32(choices.below(8))
    let capacity = choices.below(64)
    let tokens = UnsafeMutablePointer<mixtral_token>.allocate(capacity: capacity)
    defer { tokens.deallocate() }
    var count = 0
    let status = mixtral_tokenize(&count, tokens, capacity, model, text, text.count, flags)
    _ = judge(
      status, "mixtral_tokenize", known: pool.find(model, .model) != nil,
      allowed: [MIXTRAL_INVALID_ARGUMENT, MIXTRAL_BUFFER_TOO_SMALL])
  }

  private mutating func createDetokenizer(_ choices: inout Choices) {
    guard pool.objects.count < 40 else { return }
    let model = pool.choose(.model, &choices)
    let flags = UInt32(choices.below(5))
    var made: OpaquePointer?
    let status = mixtral_detokenizer_create(&made, model, flags)
    let isOK = judge(
      status, "mixtral_detokenizer_create", known: pool.find(model, .model) != nil,
      allowed: flags > 3 ? [MIXTRAL_INVALID_ARGUMENT] : [])
    if isOK { _ = pool.add(made, .detokenizer) }
  }

  private mutating func detokenize(_ choices: inout Choices) {
    let detokenizer = pool.choose(.detokenizer, &choices)
    let tokens = tokens(&choices)
    let capacity = choices.below(30)
    let bytes = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
    defer { bytes.deallocate() }
    var size = 0
    let status = mixtral_detokenizer_next(
      &size, bytes, capacity, detokenizer, tokens, tokens.count)
    var allowed = [MIXTRAL_BUFFER_TOO_SMALL]
    if !tokens.isEmpty, !areGood(tokens) { allowed.append(MIXTRAL_INVALID_ARGUMENT) }
    let known = pool.find(detokenizer, .detokenizer) != nil
    _ = judge(status, "mixtral_detokenizer_next", known: known, allowed: allowed)
  }

  // MARK: any object

  private mutating func free(_ choices: inout Choices) {
    let kinds: [ObjectKind] = [.session, .sampler, .detokenizer, .session]
    let object = pool.choose(choices.pick(kinds), &choices)
    let place = pool.find(object)
    // The models serve the next program too.
    if let place, pool.objects[place].kind == .model { return }
    let status = mixtral_free(UnsafeMutableRawPointer(object))
    let isOK = check(status, "mixtral_free", allowed: place == nil ? [MIXTRAL_INVALID_HANDLE] : [])
    require(isOK == (place != nil || object == nil), "mixtral_free takes what is no object")
    if let place { pool.objects[place].isAlive = false }
  }

  private mutating func cancel(_ choices: inout Choices) {
    let kinds: [ObjectKind] = [.session, .sampler, .model, .session]
    let object = pool.choose(choices.pick(kinds), &choices)
    let status = mixtral_cancel(UnsafeMutableRawPointer(object))
    _ = judge(status, "mixtral_cancel", known: pool.find(object, .session) != nil)
  }

  private mutating func describe(_ choices: inout Choices) {
    let model = pool.choose(.model, &choices)
    let known = pool.find(model, .model) != nil
    let size = structSize(mixtral_info.self, &choices)
    let status = withOptions(mixtral_info(), size: size) {
      mixtral_model_info(model, UnsafeMutablePointer(mutating: $0))
    }
    let isRight = (4...4096).contains(size)
    _ = judge(
      status, "mixtral_model_info", known: known,
      allowed: isRight ? [] : [MIXTRAL_INVALID_ARGUMENT])
    let key = choices.text(30).filter { $0 != 0 }.map(CChar.init(bitPattern:)) + [0]
    var needed = 0
    let found = mixtral_model_metadata(&needed, nil, 0, model, key)
    _ = judge(
      found, "mixtral_model_metadata", known: known,
      allowed: [MIXTRAL_NOT_FOUND, MIXTRAL_BUFFER_TOO_SMALL])
  }

  // MARK: the end

  /// Compares the last session that has logits, and frees everything.
  mutating func finish() {
    if let last = pool.objects.last(where: { $0.isAlive && $0.kind == .session }) {
      compare(last)
    }
    for object in pool.objects where object.isAlive && object.kind != .model {
      check(mixtral_free(UnsafeMutableRawPointer(object.handle)), "mixtral_free")
    }
  }

  private func compare(_ session: KnownObject) {
    var found = [Float](repeating: .nan, count: Group.vocabulary)
    var count = 0
    let status = mixtral_logits(&count, &found, found.count, session.handle)
    guard check(status, "mixtral_logits", allowed: [MIXTRAL_INVALID_ARGUMENT]) else { return }
    require(!session.tokens.isEmpty, "logits of nothing")
    var other: OpaquePointer?
    var options = mixtral_session_options()
    options.struct_size = UInt32(MemoryLayout<mixtral_session_options>.size)
    options.context = UInt32(session.tokens.count)
    options.cache_type = UInt32(session.cacheType)
    let model = Group.models[session.group][1]
    check(mixtral_session_create(&other, model, &options), "mixtral_session_create")
    check(mixtral_step(other, session.tokens, session.tokens.count), "mixtral_step")
    var expected = found
    check(mixtral_logits(&count, &expected, expected.count, other), "mixtral_logits")
    check(mixtral_free(UnsafeMutableRawPointer(other)), "mixtral_free")
    require(
      found.map(\.bitPattern) == expected.map(\.bitPattern),
      "after \(session.tokens.count) tokens a session has other logits than a new one")
  }
}

/// What a filter does besides changing logits: it uses the objects of the draw that runs it.
private func filter(
  _ logits: UnsafeMutablePointer<Float>?, _ count: UInt64, _ user: UnsafeMutableRawPointer?
) -> Int32 {
  guard let logits, count == UInt64(Group.vocabulary) else { finding("a filter without logits") }
  let (session, sampler) = drawing
  var token: mixtral_token = 0
  let busy = [MIXTRAL_BUSY]
  switch Int(bitPattern: user) {
  case 1: return 1
  case 2: logits[Int(logits[0].bitPattern % 40)] = .nan
  case 3: for i in 0..<Int(count) { logits[i] = -.infinity }
  case 4: require(!check(mixtral_step(session, &token, 1), "mixtral_step", allowed: busy), "a step")
  case 5:
    let freed = mixtral_free(UnsafeMutableRawPointer(session))
    require(!check(freed, "mixtral_free", allowed: busy), "a session is freed in use")
  case 6:
    let freed = mixtral_free(UnsafeMutableRawPointer(sampler))
    require(!check(freed, "mixtral_free", allowed: busy), "a sampler is freed in use")
  case 7:
    let drawn = mixtral_sample(&token, session, sampler)
    require(!check(drawn, "mixtral_sample", allowed: busy), "a draw within a draw")
  case 8: check(mixtral_cancel(UnsafeMutableRawPointer(session)), "mixtral_cancel")
  default: for i in 0..<Int(count) { logits[i] *= -1 }
  }
  return 0
}
