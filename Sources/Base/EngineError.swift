// The one error type of the engine. Its kinds are the statuses of include/mixtral.h by the same
// names, its message is the sentence a host reads: lower case, no full stop; what, where, value,
// allowed range.

/// Why a call of the engine could not do its work.
@usableFromInline
package struct EngineError: Error, Equatable, Sendable {
  /// The kinds, with the numbers of the header's statuses.
  @usableFromInline
  package enum Kind: Int32, Sendable {
    case invalidArgument = 1
    case invalidHandle = 2
    case notFound = 3
    case inputOutput = 4
    case malformed = 5
    case unsupported = 6
    case limitExceeded = 7
    case outOfMemory = 8
    case contextFull = 9
    case bufferTooSmall = 10
    case cancelled = 11
    case busy = 12
    case changed = 13
    case numeric = 14
    case forked = 15
    case `internal` = 16
  }

  package let kind: Kind
  package let message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}
