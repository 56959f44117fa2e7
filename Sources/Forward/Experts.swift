// The rows of a mixture, grouped by expert, so that a prompt reads each expert once and a token
// reads only its own. A dense layer is one expert that every row has.
//
// A slot is a pair of a row and one of its experts; slots lie in the order of the experts.
import Kernels

extension ForwardPass {
  /// Slots of a row.
  private var slotsPerRow: Int { max(1, shape.expertsPerToken) }

  /// Slots of all rows.
  var slotCount: Int { batch.rowCount * slotsPerRow }

  /// Chooses the experts of every row, and brings the rows of each expert together.
  func route() {
    guard let router = layer.pointee.router else { return sortDense() }
    queue.add(router, scratch.normed, rows, into: scratch.router)
    queue.run()
    forRows { pass, row, _ in pass.choose(row) }
    sortByExpert()
    if batch.rowCount > 1 { forEach(slotCount) { pass, slot, _ in pass.gather(slot) } }
  }

  /// The experts that have slots, lowest first.
  var activeExperts: ExpertList {
    ExpertList(experts: scratch.active, count: scratch.activeCount.pointee)
  }

  /// The slots of an expert.
  func slots(of expert: Int) -> Range<Int> {
    Int(scratch.firstSlot[expert])..<Int(scratch.firstSlot[expert + 1])
  }

  /// The slots of a slot's expert.
  func neighbours(of slot: Int) -> Range<Int> {
    var expert = 0
    while scratch.firstSlot[expert + 1] <= slot { expert += 1 }
    return slots(of: expert)
  }

  /// The activations of an expert: rows are slots in a dense layer; a lone row is shared by all its
  /// slots.
  func expertInput(_ expert: Int) -> (Activations, Range<Int>) {
    if layer.pointee.router == nil { return (scratch.normed, rows) }
    return batch.rowCount > 1 ? (scratch.gathered, slots(of: expert)) : (scratch.normed, 0..<1)
  }

  /// x = x + the weighted outputs of a row's experts, best first.
  func combine(_ row: Int) {
    guard layer.pointee.router != nil else { return addToStream(row) }
    let x = scratch.hidden.row(row)
    let added = scratch.added
    let slots = scratch.slotOf + row * slotsPerRow
    let weights = scratch.expertWeights + row * slotsPerRow
    // Rows are whole vectors (`padded`).
    for column in stride(from: 0, to: added.stride, by: 16) {
      var sum = SIMD16<Float>.zero
      for choice in 0..<slotsPerRow {
        let output = UnsafeRawPointer(added.row(Int(slots[choice])) + column)
        sum += weights[choice] * output.loadUnaligned(as: SIMD16<Float>.self)
      }
      let place = UnsafeMutableRawPointer(x + column)
      let before = place.loadUnaligned(as: SIMD16<Float>.self)
      place.storeBytes(of: before + sum, as: SIMD16<Float>.self)
    }
  }

  /// Chooses a row's experts: the largest of the router's logits, ties to the lower index, weighted
  /// by the softmax over the chosen ones, which is that over all, renormalised.
  private func choose(_ row: Int) {
    let logits = scratch.router.row(row)
    let choices = scratch.choices + row * slotsPerRow
    let weights = scratch.expertWeights + row * slotsPerRow
    for choice in 0..<slotsPerRow { choices[choice] = best(logits, besides: choices, choice) }
    var sum = 0.0
    for choice in 0..<slotsPerRow {
      let e = Elementary.exp(Double(logits[Int(choices[choice])]) - Double(logits[Int(choices[0])]))
      weights[choice] = Float(e)
      sum += e
    }
    for choice in 0..<slotsPerRow { weights[choice] = Float(Double(weights[choice]) / sum) }
  }

  /// The expert with the largest logit that is not among the `count` experts chosen before.
  private func best(
    _ logits: UnsafePointer<Float>, besides choices: UnsafePointer<Int32>, _ count: Int
  ) -> Int32 {
    var best: Int32 = -1
    for expert in 0..<Int32(truncatingIfNeeded: shape.experts) {
      var earlier = 0
      while earlier < count, choices[earlier] != expert { earlier += 1 }
      if earlier == count, best < 0 || logits[Int(expert)] > logits[Int(best)] { best = expert }
    }
    return best
  }

  /// The slots of a dense layer: each row's is its own.
  private func sortDense() {
    scratch.active[0] = 0
    scratch.activeCount.pointee = 1
    scratch.firstSlot[0] = 0
    scratch.firstSlot[1] = Int32(truncatingIfNeeded: batch.rowCount)
  }

  /// Gives every choice of every row a slot, in the order of the experts.
  private func sortByExpert() {
    let first = scratch.firstSlot
    first.update(repeating: 0, count: shape.experts + 1)
    for choice in 0..<slotCount { first[Int(scratch.choices[choice]) + 1] += 1 }
    var active = 0
    for expert in 0..<shape.experts {
      if first[expert + 1] > 0 {
        scratch.active[active] = Int32(truncatingIfNeeded: expert)
        active += 1
      }
      first[expert + 1] += first[expert]
    }
    scratch.activeCount.pointee = active
    // Each expert's next free slot walks from its first to the next expert's first, then back.
    for choice in 0..<slotCount {
      let expert = Int(scratch.choices[choice])
      let slot = first[expert]
      first[expert] += 1
      scratch.slotOf[choice] = slot
      scratch.rowOf[Int(slot)] = Int32(truncatingIfNeeded: choice / slotsPerRow)
    }
    for expert in stride(from: shape.experts, to: 0, by: -1) { first[expert] = first[expert - 1] }
    first[0] = 0
  }

  /// Copies a row's activations to its slot, in the forms that gates and ups read.
  private func gather(_ slot: Int) {
    scratch.gathered.copy(
      Int(scratch.rowOf[slot]), of: scratch.normed, to: slot, of: neighbours(of: slot),
      layer.pointee.gateForms, table.floatRows)
  }
}

/// Some experts of a layer.
struct ExpertList: Sequence, IteratorProtocol {
  private var experts: UnsafePointer<Int32>
  private var count: Int

  init(experts: UnsafePointer<Int32>, count: Int) {
    self.experts = experts
    self.count = count
  }

  mutating func next() -> Int? {
    guard count > 0 else { return nil }
    defer {
      experts += 1
      count -= 1
    }
    return Int(experts.pointee)
  }
}
