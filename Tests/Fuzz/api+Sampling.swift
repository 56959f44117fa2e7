// Calls that draw tokens or turn them into text.
import CMixtral

/// The session and the sampler of the draw that runs, which a filter may try to use.
nonisolated(unsafe) var drawing: (session: OpaquePointer?, sampler: OpaquePointer?)

extension Calls {
  mutating func createSampler(_ choices: inout Choices) {
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
    options.random_seed = choices.byte() >= 250 ? 1 : 0
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

  mutating func sample(_ choices: inout Choices) {
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

  mutating func report(_ choices: inout Choices) {
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

  mutating func text(_ choices: inout Choices) {
    let model = pool.choose(.model, &choices)
    let text = choices.text(20).map(CChar.init(bitPattern:))
    let flags =
      choices.byte() >= 250
      ? UInt32(truncatingIfNeeded: choices.number()) : UInt32(choices.below(8))
    let capacity = choices.below(64)
    let tokens = UnsafeMutablePointer<mixtral_token>.allocate(capacity: capacity)
    defer { tokens.deallocate() }
    var count = 0
    let status = mixtral_tokenize(&count, tokens, capacity, model, text, text.count, flags)
    _ = judge(
      status, "mixtral_tokenize", known: pool.find(model, .model) != nil,
      allowed: [MIXTRAL_INVALID_ARGUMENT, MIXTRAL_BUFFER_TOO_SMALL])
  }

  mutating func createDetokenizer(_ choices: inout Choices) {
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

  mutating func detokenize(_ choices: inout Choices) {
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
}

/// The filter of a draw: besides changing logits it uses the objects of the draw that runs it.
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
