// Programs of calls in any order, with living, freed, foreign and wrong handles and any parameters.
// Every status has to fit what is known of the objects; at the end a session's logits have to be
// those of another model of the same file, with other kernels and threads, fed in one step.
import CMixtral
import Support

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

/// A program that runs.
struct Calls {
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
  func judge(
    _ status: mixtral_status, _ name: String, known: Bool, allowed: [Int] = []
  ) -> Bool {
    // Which of two mistakes is told is not said.
    let good = known ? allowed : allowed + [MIXTRAL_INVALID_HANDLE, MIXTRAL_INVALID_ARGUMENT]
    let isOK = check(status, name, allowed: good)
    require(known || !isOK, "\(name) is OK with a bad handle")
    return isOK
  }

  func tokens(_ choices: inout Choices) -> [mixtral_token] {
    let most = choices.byte() >= 240 ? 120 : 8
    return (0..<choices.below(most)).map { _ in
      let id = mixtral_token(choices.byte())
      return id < 250 ? id % 40 : [-1, 40, .max, .min, 41, 39][Int(id) - 250]
    }
  }

  func areGood(_ tokens: [mixtral_token]) -> Bool {
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
  mutating func settle(_ place: Int, _ tokens: [mixtral_token], _ isOK: Bool) {
    var position: UInt64 = 0
    let status = mixtral_session_position(&position, pool.objects[place].handle)
    check(status, "mixtral_session_position")
    let all = pool.objects[place].tokens + tokens
    require(position <= all.count, "a session stands beyond what it was fed")
    require(!isOK || position == all.count, "a step is OK and the session does not stand there")
    pool.objects[place].tokens = Array(all.prefix(Int(position)))
  }

  /// Statuses of feeding `tokens` to a known session.
  func refusals(_ place: Int, _ tokens: [mixtral_token]) -> [Int] {
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
    require(
      !isOK || (written == needed && allowed.isEmpty), "mixtral_step_logits is OK with \(written)")
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
