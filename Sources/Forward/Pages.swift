// The layout of a cache page: 64 absolute positions of all layers. A head's keys and values within
// it: Kernels/CacheStorage.swift.
import Kernels

/// Where the parts of a page lie, in bytes.
package struct PageLayout: Sendable {
  package let type: CacheType
  let headWidth: Int
  /// Of the keys of a head, and of its values.
  let headByteCount: Int
  let layerByteCount: Int
  package let byteCount: Int

  package init(_ shape: Hyperparameters, _ type: CacheType) {
    self.type = type
    headWidth = shape.headWidth
    // At most 64 x 1024 x 2 bytes, 1024 heads, 512 layers: 2^37 bytes for a page.
    headByteCount =
      switch type {
      case .f16: HalfCache.byteCount(headWidth: shape.headWidth)
      case .q8_0: ByteCache.byteCount(headWidth: shape.headWidth)
      }
    layerByteCount = shape.kvHeads * headByteCount * 2
    byteCount = shape.layers * layerByteCount
  }

  /// The layout of every type of cache, by `CacheType.rawValue`; the caller deallocates it.
  static func all(_ shape: Hyperparameters) -> UnsafePointer<PageLayout> {
    let layouts = UnsafeMutablePointer<PageLayout>.allocate(capacity: CacheType.allCases.count)
    for type in CacheType.allCases {
      (layouts + type.rawValue).initialize(to: PageLayout(shape, type))
    }
    return UnsafePointer(layouts)
  }

  func keys(_ layer: Int, _ head: Int) -> Int { layer * layerByteCount + head * headByteCount * 2 }
  func values(_ layer: Int, _ head: Int) -> Int { keys(layer, head) + headByteCount }

  /// Makes the positions of a page from `position` on zero.
  @export(interface)
  package func clear(_ page: UnsafeMutableRawPointer, from position: Int) {
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
