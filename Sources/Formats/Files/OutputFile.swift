// A file that is there complete or not at all: written under another name beside its place, and
// renamed when everything is on the disk.
import Base

/// A file being written; without `commit` nothing of it is left.
///
/// Threads: any number may write at once.
package final class OutputFile: Sendable {
  /// The last component of its path, quoted for sentences.
  package let name: String
  private let path: [CChar]
  private let temporary: [CChar]
  private let descriptor: Int32
  private let replaces: Bool
  private let calls: WriteCalls

  /// Starts the file that shall be at `path`.
  ///
  /// Throws `.invalidArgument` when there is one and `replacing` is false, or when it is `source`;
  /// `.inputOutput`, `.notFound` (the folder) with the system's reason.
  package init(
    path: UnsafePointer<CChar>, replacing: Bool, source: InputFile? = nil,
    calls: WriteCalls = .system
  ) throws(EngineError) {
    let name = unsafe quotedLastComponent(of: path)
    if let there = unsafe calls.identify(path) {
      guard source?.isSame(there) != true else {
        throw EngineError(.invalidArgument, "\(name) is the file that is read")
      }
      guard replacing else {
        throw EngineError(.invalidArgument, "\(name) exists; overwriting was not asked for")
      }
    }
    var bytes = Growable<CChar>()
    while unsafe path[bytes.count] != 0 { try bytes.append(unsafe path[bytes.count]) }
    var whole = bytes
    try whole.append(0)
    self.path = try whole.array()
    var temporary: [CChar] = []
    var descriptor: Int32 = 0
    // A name that another process has in use is not ours.
    for attempt in 0..<16 {
      let suffix = ".partial-\(calls.processID())-\(attempt)"
      var name = bytes
      for scalar in suffix.unicodeScalars {
        try name.append(CChar(truncatingIfNeeded: scalar.value))
      }
      try name.append(0)
      temporary = try name.array()
      descriptor = calls.create(temporary)
      if !isExistence(0 &- descriptor) { break }
    }
    guard descriptor >= 0 else {
      let code = 0 &- descriptor
      throw EngineError(
        isAbsence(code) ? .notFound : .inputOutput, "cannot create \(name): \(errorName(code))")
    }
    self.name = name
    self.temporary = temporary
    self.descriptor = descriptor
    self.replaces = replacing
    self.calls = calls
  }

  deinit {
    calls.close(descriptor)
    // Renamed by `commit`, it is no longer there.
    calls.remove(temporary)
  }

  /// Writes bytes at an offset.
  ///
  /// Throws `.inputOutput`.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(EngineError) {
    var done = 0
    while done < bytes.count {
      let rest = unsafe UnsafeRawBufferPointer(
        start: bytes.baseAddress.map { unsafe $0 + done }, count: bytes.count &- done)
      let count = unsafe calls.write(descriptor, rest, Int64(clamping: offset) &+ Int64(done))
      if count < 0 {
        let code = Int32(truncatingIfNeeded: 0 &- count)
        if isInterruption(code) { continue }
        throw failure("write", code)
      }
      guard count > 0 else { throw failure("write", 0) }
      done &+= min(count, rest.count)
    }
  }

  /// Brings everything to the disk and gives the file its name.
  ///
  /// Throws `.inputOutput`, and `.invalidArgument` when another file has taken the name meanwhile.
  package func commit() throws(EngineError) {
    let synced = calls.sync(descriptor)
    guard synced == 0 else { throw failure("sync", 0 &- synced) }
    let renamed = calls.rename(temporary, path, replaces)
    guard renamed == 0 else {
      if isExistence(0 &- renamed) {
        throw EngineError(.invalidArgument, "\(name) exists; overwriting was not asked for")
      }
      throw failure("rename", 0 &- renamed)
    }
  }

  private func failure(_ what: String, _ code: Int32) -> EngineError {
    EngineError(.inputOutput, "cannot \(what) \(name): \(errorName(code))")
  }
}
