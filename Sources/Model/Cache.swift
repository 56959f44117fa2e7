// The key-value cache of a session: pages of 64 absolute positions, taken as the conversation
// grows, shared by forks until one writes, given back when a sliding window has passed them. One
// page holds all layers.
import Base
import Forward
import Kernels

/// Memory of one page; forks count its references.
private func newPage(_ layout: PageLayout, from host: HostMemory?) throws(EngineError) -> Memory {
  try Memory.allocated(byteCount: layout.byteCount, for: "64 positions of the cache", from: host)
}

/// A page of the same layout with the bytes of `other`.
private func newPage(
  copying other: UnsafeMutableRawPointer, _ layout: PageLayout, from host: HostMemory?
) throws(EngineError) -> Memory {
  let page = try newPage(layout, from: host)
  page.base.copyMemory(from: other, byteCount: layout.byteCount)
  return page
}

/// The pages of one session.
///
/// Positions are below the context, which `Session` bounds: no number of pages wraps.
struct Cache {
  let layout: PageLayout
  private let host: HostMemory?
  /// By position / 64; nil where a window has passed, and from `endPage` on.
  private var pages: [Memory?] = []
  /// The memory of each of `pages`, as the forward pass reads it; in memory of the session, which
  /// makes room before it fills them.
  private var table: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// The index after the last page that is held; at most `pages.count`.
  private var endPage = 0
  /// A page that was passed, to be used next.
  private var spare: Memory?
  /// The first page that is still held.
  private(set) var firstPage = 0

  /// `table` has room for the pages that the session will hold, all nil.
  init(
    layout: PageLayout, from host: HostMemory?,
    table: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) {
    self.layout = layout
    self.host = host
    self.table = table
  }

  /// Goes on in a larger table, which is all nil.
  mutating func move(to larger: UnsafeMutablePointer<UnsafeMutableRawPointer?>) {
    larger.copy(from: table, count: endPage)
    table = larger
  }

  /// The pages as rows of a pass see them.
  var sessionPages: SessionPages { SessionPages(table: UnsafePointer(table), type: layout.type) }

  /// Holds the pages of `other`, a cache of the same layout, until one of the two writes.
  mutating func share(_ other: Cache) {
    (pages, firstPage, endPage) = (other.pages, other.firstPage, other.endPage)
    table.copy(from: other.table, count: endPage)
  }

  var byteCount: Int {
    (endPage &- firstPage &+ (spare == nil ? 0 : 1)) &* layout.byteCount
  }

  /// The memory of page `index`; nil where none is held.
  func base(_ index: Int) -> UnsafeMutableRawPointer? {
    index >= firstPage && index < endPage ? table[index] : nil
  }

  /// Makes positions `first`..<`last` writable: takes pages, and copies those that a fork shares.
  ///
  /// On an error the caller truncates.
  mutating func prepare(from first: Int, to last: Int) throws(EngineError) {
    let end = (last &+ pagePositions &- 1) / pagePositions
    while pages.count < end { pages.append(nil) }
    endPage = max(endPage, end)
    let (layout, host) = (layout, host)
    var spare: Memory?
    swap(&spare, &self.spare)
    defer { self.spare = spare }
    let table = table
    try pages.withUnsafeMutableBufferPointer { pages throws(EngineError) in
      var index = first / pagePositions
      while index < end {
        if pages[index] == nil { swap(&pages[index], &spare) }
        if pages[index] == nil {
          pages[index] = try newPage(layout, from: host)
        } else if !isKnownUniquelyReferenced(&pages[index]), let shared = pages[index] {
          pages[index] = try newPage(copying: shared.base, layout, from: host)
        }
        table[index] = pages[index]?.base
        index &+= 1
      }
    }
  }

  /// A copy of a page, whose positions from `positions` on are zero.
  func copy(
    page: UnsafeMutableRawPointer, positions: Int
  ) throws(EngineError) -> Memory {
    let copy = try newPage(copying: page, layout, from: host)
    layout.clear(copy.base, from: positions)
    return copy
  }

  /// Takes pages `first`..<`last` and lets `fill` write each of them whole.
  mutating func restore(
    from first: Int, to last: Int,
    _ fill: (UnsafeMutableRawPointer) throws(EngineError) -> Void
  ) throws(EngineError) {
    while pages.count < first { pages.append(nil) }
    firstPage = first
    while pages.count < last {
      let page = try newPage(layout, from: host)
      try fill(page.base)
      table[pages.count] = page.base
      pages.append(page)
    }
    endPage = pages.count
  }

  /// Gives back the pages before `position`.
  mutating func drop(before position: Int) {
    let end = min(position / pagePositions, endPage)
    guard firstPage < end else { return }
    let table = table
    var (index, spare) = (firstPage, spare)
    pages.withUnsafeMutableBufferPointer { pages in
      while index < end {
        if spare == nil, isKnownUniquelyReferenced(&pages[index]) { spare = pages[index] }
        pages[index] = nil
        table[index] = nil
        index &+= 1
      }
    }
    (firstPage, self.spare) = (index, spare)
  }

  /// Gives back the pages from `position` on; with 0, everything.
  mutating func truncate(to position: Int) {
    let first = (position &+ pagePositions &- 1) / pagePositions
    if first < endPage {
      let (end, table) = (endPage, table)
      pages.withUnsafeMutableBufferPointer { pages in
        for index in below(end, from: first) {
          pages[index] = nil
          table[index] = nil
        }
      }
      endPage = first
    }
    if position == 0 {
      firstPage = 0
      spare = nil
    }
  }
}
