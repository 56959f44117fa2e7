// Several registers as one value. The rooms of the other tables of arm64 compile this text too,
// through symbolic links, as they do NEON.swift, NEON+Doubles.swift and Lanes128.swift.

/// The lanes of two registers.
struct Halved<Half> {
  var low: Half
  var high: Half
  @inline(__always) init(_ low: Half, _ high: Half) {
    self.low = low
    self.high = high
  }

  /// `make` of both halves, and of the halves of others beside them.
  @inline(__always) func map<Other>(_ make: (Half) -> Other) -> Halved<Other> {
    Halved<Other>(make(low), make(high))
  }
  @inline(__always) func with<A>(_ a: Halved<A>, _ make: (Half, A) -> Half) -> Self {
    Self(make(low, a.low), make(high, a.high))
  }
  @inline(__always) func with<A, B>(
    _ a: Halved<A>, _ b: Halved<B>, _ make: (Half, A, B) -> Half
  ) -> Self { Self(make(low, a.low, b.low), make(high, a.high, b.high)) }
}

/// The lanes of four registers.
struct Quartered<Quarter> {
  var first: Halved<Quarter>
  var second: Halved<Quarter>
  @inline(__always) init(_ first: Halved<Quarter>, _ second: Halved<Quarter>) {
    self.first = first
    self.second = second
  }
  @inline(__always) init(_ a: Quarter, _ b: Quarter, _ c: Quarter, _ d: Quarter) {
    first = Halved(a, b)
    second = Halved(c, d)
  }
  @inline(__always) init(all quarter: Quarter) { self.init(quarter, quarter, quarter, quarter) }

  /// `make` of all quarters, and of the quarters of others beside them.
  @inline(__always) func map<Other>(_ make: (Quarter) -> Other) -> Quartered<Other> {
    Quartered<Other>(first.map(make), second.map(make))
  }
  @inline(__always) func with<A>(_ a: Quartered<A>, _ make: (Quarter, A) -> Quarter) -> Self {
    Self(first.with(a.first, make), second.with(a.second, make))
  }
  @inline(__always) func with<A, B>(
    _ a: Quartered<A>, _ b: Quartered<B>, _ make: (Quarter, A, B) -> Quarter
  ) -> Self { Self(first.with(a.first, b.first, make), second.with(a.second, b.second, make)) }
}
