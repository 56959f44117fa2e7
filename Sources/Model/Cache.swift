// The key-value cache of a session: pages of 64 absolute positions, taken as the conversation
// grows, shared by forks until one writes, given back when a sliding window has passed them. One
// page holds all layers.
import Formats
import Kernels

/// Where the parts of a page lie, in bytes.
///
/// A head's keys and values: Kernels/CacheStorage.swift.
struct PageLayout: Sendable {
  let type: CacheType
  let headWidth: Int
  /// Of the keys of a head, and of its values.
  let headByteCount: Int
  let layerByteCount: Int
  let byteCount: Int

  init(_ shape: Hyperparameters, _ type: CacheType) {
    self.type = type
    headWidth = shape.headWidth
    // At most 64 x 1024 x 2 bytes, 1024 heads, 512 layers: no overflow.
    headByteCount =
      switch type {
      case .f16: HalfCache.byteCount(headWidth: shape.headWidth)
      case .q8_0: ByteCache.byteCount(headWidth: shape.headWidth)
      }
    layerByteCount = shape.kvHeads * headByteCount * 2
    byteCount = shape.layers * layerByteCount
  }

  func keys(_ layer: Int, _ head: Int) -> Int {
    layer &* layerByteCount &+ head &* headByteCount &* 2
  }
  func values(_ layer: Int, _ head: Int) -> Int { keys(layer, head) &+ headByteCount }

  /// Makes the positions of a page from `position` on zero.
  func clear(_ page: UnsafeMutableRawPointer, from position: Int) {
    // Layers and heads follow each other: keys and values in turn.
    for offset in stride(from: 0, to: byteCount, by: headByteCount * 2) {
      let (keys, values) = (page + offset, page + offset + headByteCount)
      switch type {
      case .f16:
        HalfCache.clear(keys: keys, values: values, headWidth: headWidth, from: position)
      case .q8_0:
        ByteCache.clear(keys: keys, values: values, headWidth: headWidth, from: position)
      }
    }
  }
}

/// One page; a class so that forks count references.
private final class Page {
  let memory: Memory
  init(_ layout: PageLayout, from host: HostMemory?) throws(EngineError) {
    memory = try Memory(byteCount: layout.byteCount, for: "64 positions of the cache", from: host)
  }
}

/// The pages of one session.
struct Cache {
  let layout: PageLayout
  private let host: HostMemory?
  /// By position / 64; nil where a window has passed.
  private var pages: [Page?] = []
  /// A page that was passed, to be used next.
  private var spare: Page?
  /// The first page that is still held.
  private(set) var firstPage = 0

  init(layout: PageLayout, from host: HostMemory?) {
    self.layout = layout
    self.host = host
  }

  var byteCount: Int {
    (pages.count - firstPage + (spare == nil ? 0 : 1)) * layout.byteCount
  }

  /// The memory of page `index`.
  ///
  /// SAFETY: `index` lies in what `prepare` made ready.
  func base(_ index: Int) -> UnsafeMutableRawPointer? {
    guard index >= 0, index < pages.count else { return nil }
    return pages[index]?.memory.base
  }

  /// Makes positions `first`..<`last` writable: takes pages, and copies those that a fork shares.
  mutating func prepare(from first: Int, to last: Int) throws(EngineError) {
    let lastPage = (last - 1) / pagePositions
    while pages.count <= lastPage {
      if let page = spare {
        spare = nil
        pages.append(page)
      } else {
        pages.append(try Page(layout, from: host))
      }
    }
    var index = first / pagePositions
    while index <= lastPage {
      if !isKnownUniquelyReferenced(&pages[index]), let shared = pages[index] {
        let copy = try Page(layout, from: host)
        copy.memory.base.copyMemory(from: shared.memory.base, byteCount: layout.byteCount)
        pages[index] = copy
      }
      index += 1
    }
  }

  /// A copy of a page, whose positions from `positions` on are zero.
  func copy(page: Int, positions: Int) throws(EngineError) -> Memory {
    let copy = try Page(layout, from: host).memory
    guard let base = base(page) else { return copy }
    copy.base.copyMemory(from: base, byteCount: layout.byteCount)
    layout.clear(copy.base, from: positions)
    return copy
  }

  /// Takes pages `first`..<`last` and lets `fill` write each of them whole.
  mutating func restore(
    from first: Int, to last: Int,
    _ fill: (UnsafeMutableRawPointer) throws(EngineError) -> Void
  ) throws(EngineError) {
    firstPage = first
    pages.append(contentsOf: repeatElement(nil, count: first))
    while pages.count < last {
      let page = try Page(layout, from: host)
      try fill(page.memory.base)
      pages.append(page)
    }
  }

  /// Gives back the pages before `position`.
  mutating func drop(before position: Int) {
    let end = min(position / pagePositions, pages.count)
    while firstPage < end {
      if spare == nil, isKnownUniquelyReferenced(&pages[firstPage]) { spare = pages[firstPage] }
      pages[firstPage] = nil
      firstPage += 1
    }
  }

  /// Gives back the pages from `position` on; with 0, everything.
  mutating func truncate(to position: Int) {
    let count = (position + pagePositions - 1) / pagePositions
    if position == 0 {
      pages.removeAll(keepingCapacity: true)
      firstPage = 0
      spare = nil
    } else if count < pages.count {
      pages.removeLast(pages.count - count)
    }
  }
}
