// The feed-forward layer: dense, or a mixture of experts. The rows of a mixture are grouped by
// expert, so that a prompt reads each expert once and a token reads only its own. A dense layer is
// one expert that every row has.
//
// A slot is a pair of a row and one of its experts; slots lie in the order of the experts.
import Kernels
import Quantization

extension ForwardPass {
  /// x = x + what attention added; x = x + sum of w_e down_e(silu(gate_e n) up_e n), n = norm(x).
  func feedForward() {
    forRows { pass, row, worker in
      pass.addToStream(row)
      pass.norm(row, pass.layer.pointee.feedForwardNorm)
      pass.prepare(
        pass.scratch.normed, row: row, of: pass.batch.rowCount, pass.layer.pointee.gateForms,
        width: pass.shape.hiddenWidth)
      pass.route(row, worker)
    }
    let active = group()
    let rows = batch.rowCount
    if shape.experts > 0, rows > 1 {
      forEach(rows &* shape.expertsPerToken) { pass, slot, _ in pass.gather(slot) }
    }
    forUnits(active &* units(layer.pointee.gate[0])) { pass, unit, worker in
      pass.gateUnit(unit, worker)
    }
    forEach(rows &* max(1, shape.expertsPerToken)) { pass, slot, _ in
      let (first, count) = pass.neighbours(of: slot)
      pass.prepare(
        pass.scratch.gated, row: slot, first: first, of: count, pass.layer.pointee.downForms,
        width: pass.shape.feedForwardWidth)
    }
    forUnits(active &* units(layer.pointee.down[0])) { pass, unit, worker in
      pass.downUnit(unit, worker)
    }
    forRows { pass, row, _ in pass.combine(row) }
  }

  private func addToStream(_ row: Int) {
    let x = scratch.hidden + row &* scratch.hiddenStride
    let added = scratch.added + row &* scratch.hiddenStride
    let count = scratch.hiddenStride
    var i = 0
    while i < count {
      x[i] += added[i]
      i &+= 1
    }
  }

  /// Chooses a row's experts: the largest of the router's logits, ties to the lower index, weighted
  /// by the softmax over the chosen ones, which is that over all, renormalised.
  private func route(_ row: Int, _ worker: Int) {
    guard let router = layer.pointee.router else { return }
    if router.form != .float {
      prepare(
        scratch.normed, row: row, of: 1, FormSet(router.form), width: shape.hiddenWidth)
    }
    let logits = scratch.router + row &* scratch.routerStride
    router.multiply(
      panels: 0, count: router.panelCount, activations: scratch.normed.single(row, router.form),
      rowStride: 0, rowCount: 1, into: logits, outStride: scratch.routerStride,
      workspace: scratch.workspace(worker))
    let used = shape.expertsPerToken
    let choices = scratch.choices + row &* used
    let weights = scratch.weights + row &* used
    var k = 0
    while k < used {
      choices[k] = best(logits, besides: choices, k)
      k &+= 1
    }
    var sum = 0.0
    k = 0
    while k < used {
      let e = Elementary.exp(Double(logits[Int(choices[k])]) - Double(logits[Int(choices[0])]))
      weights[k] = Float(e)
      sum += e
      k &+= 1
    }
    k = 0
    while k < used {
      weights[k] = Float(Double(weights[k]) / sum)
      k &+= 1
    }
  }

  /// The expert with the largest logit that is not among the `count` experts chosen before.
  private func best(
    _ logits: UnsafePointer<Float>, besides choices: UnsafePointer<Int32>, _ count: Int
  ) -> Int32 {
    let experts = Int32(truncatingIfNeeded: shape.experts)
    var best: Int32 = -1
    var expert: Int32 = 0
    while expert < experts {
      var earlier = 0
      while earlier < count, choices[earlier] != expert { earlier &+= 1 }
      if earlier >= count, best < 0 || logits[Int(expert)] > logits[Int(best)] { best = expert }
      expert &+= 1
    }
    return best
  }

  /// Sorts the slots by expert; returns the number of experts that have any.
  private func group() -> Int {
    let rows = batch.rowCount
    guard shape.experts > 0 else {
      scratch.active[0] = 0
      scratch.firstSlot[0] = 0
      scratch.firstSlot[1] = Int32(truncatingIfNeeded: rows)
      return 1
    }
    let slots = rows &* shape.expertsPerToken
    let first = scratch.firstSlot
    fill(first, shape.experts &+ 1, 0)
    var choice = 0
    while choice < slots {
      first[Int(scratch.choices[choice]) &+ 1] &+= 1
      choice &+= 1
    }
    var active = 0
    var expert = 0
    while expert < shape.experts {
      if first[expert &+ 1] > 0 {
        scratch.active[active] = Int32(truncatingIfNeeded: expert)
        active &+= 1
      }
      first[expert &+ 1] &+= first[expert]
      expert &+= 1
    }
    // Each expert's next free slot walks from its first to the next expert's first, then back.
    let used = max(1, shape.expertsPerToken)
    choice = 0
    while choice < slots {
      let expert = Int(scratch.choices[choice])
      let slot = first[expert]
      first[expert] &+= 1
      scratch.slotOf[choice] = slot
      scratch.rowOf[Int(slot)] = Int32(truncatingIfNeeded: choice / used)
      choice &+= 1
    }
    while expert > 0 {
      first[expert] = first[expert &- 1]
      expert &-= 1
    }
    first[0] = 0
    return active
  }

  /// The slots of a slot's expert.
  private func neighbours(of slot: Int) -> (first: Int, count: Int) {
    var expert = 0
    while scratch.firstSlot[expert &+ 1] <= slot { expert &+= 1 }
    let first = scratch.firstSlot[expert]
    return (Int(first), Int(scratch.firstSlot[expert &+ 1] &- first))
  }

  /// Copies a row's activations to its slot, in the forms that gates and ups read.
  private func gather(_ slot: Int) {
    let row = Int(scratch.rowOf[slot])
    if layer.pointee.gateForms.contains(FormSet(.float)) {
      let (first, count) = neighbours(of: slot)
      scratch.gathered.place(
        scratch.normed.values + row &* scratch.normed.stride, row: slot, first: first, of: count,
        table.floatRows, width: shape.hiddenWidth)
    }
    for form in ActivationForm.allCases
    where form != .float && layer.pointee.gateForms.contains(FormSet(form)) {
      scratch.gathered.row(slot, form).initializeMemory(
        as: UInt8.self, from: scratch.normed.row(row, form).assumingMemoryBound(to: UInt8.self),
        count: scratch.normed.rowStride(form))
    }
  }

  /// Units a matrix of a role is cut into; the same for every expert.
  private func units(_ matrix: Matrix) -> Int {
    let size = expertChunk(matrix)
    return max(1, (matrix.panelCount &+ size &- 1) / size)
  }

  private func expertChunk(_ matrix: Matrix) -> Int {
    max(1, chunk(of: matrix, rowCount: batch.rowCount))
  }

  /// Activations of a slot: for one row all slots share them, a dense layer has rows for slots.
  private func input(_ slot: Int, _ form: ActivationForm) -> UnsafeRawPointer {
    if shape.experts == 0 { return UnsafeRawPointer(scratch.normed.row(slot, form)) }
    let gathered = batch.rowCount > 1
    return UnsafeRawPointer(
      gathered ? scratch.gathered.row(slot, form) : scratch.normed.row(0, form))
  }

  /// gated = silu(gate n) up n for some panels of one expert.
  private func gateUnit(_ unit: Int, _ worker: Int) {
    let size = expertChunk(layer.pointee.gate[0])
    let count = units(layer.pointee.gate[0])
    let expert = Int(scratch.active[unit / count])
    let gate = layer.pointee.gate + expert
    let up = layer.pointee.up + expert
    let slot = Int(scratch.firstSlot[expert])
    let rows = Int(scratch.firstSlot[expert &+ 1]) &- slot
    let first = unit % count &* size
    let panels = min(size, gate.pointee.panelCount &- first)
    let stride = scratch.gated.stride
    let workspace = scratch.workspace(worker)
    gate.pointee.multiply(
      panels: first, count: panels, activations: input(slot, gate.pointee.form),
      rowStride: scratch.normed.rowStride(gate.pointee.form), rowCount: rows,
      into: scratch.gated.values + slot &* stride, outStride: stride, workspace: workspace)
    up.pointee.multiply(
      panels: first, count: panels, activations: input(slot, up.pointee.form),
      rowStride: scratch.normed.rowStride(up.pointee.form), rowCount: rows,
      into: scratch.up + slot &* stride, outStride: stride, workspace: workspace)
    var row = slot
    while row < slot &+ rows {
      let at = row &* stride &+ first &* 16
      table.swiGLU(scratch.gated.values + at, scratch.up + at, panels)
      row &+= 1
    }
  }

  /// added = down gated for some panels of one expert.
  private func downUnit(_ unit: Int, _ worker: Int) {
    let size = expertChunk(layer.pointee.down[0])
    let count = units(layer.pointee.down[0])
    let expert = Int(scratch.active[unit / count])
    let down = layer.pointee.down + expert
    let slot = Int(scratch.firstSlot[expert])
    let rows = Int(scratch.firstSlot[expert &+ 1]) &- slot
    let first = unit % count &* size
    down.pointee.multiply(
      panels: first, count: min(size, down.pointee.panelCount &- first),
      activations: UnsafeRawPointer(scratch.gated.row(slot, down.pointee.form)),
      rowStride: scratch.gated.rowStride(down.pointee.form), rowCount: rows,
      into: scratch.added + slot &* scratch.hiddenStride, outStride: scratch.hiddenStride,
      workspace: scratch.workspace(worker))
  }

  /// x = x + the weighted outputs of a row's experts, best first.
  private func combine(_ row: Int) {
    let x = scratch.hidden + row &* scratch.hiddenStride
    guard shape.experts > 0 else { return addToStream(row) }
    let used = shape.expertsPerToken
    let slots = scratch.slotOf + row &* used
    let weights = scratch.weights + row &* used
    let stride = scratch.hiddenStride
    var i = 0
    while i < stride {
      var sum: Float = 0
      var k = 0
      while k < used {
        sum += weights[k] * scratch.added[Int(slots[k]) &* stride &+ i]
        k &+= 1
      }
      x[i] += sum
      i &+= 1
    }
  }
}
