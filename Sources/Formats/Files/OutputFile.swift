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
  /// One that is there keeps its owner, permissions and access list, and a symbolic link leads to
  /// the new one as it did to the old; its other names (hard links) keep the old. A new file is for
  /// its owner alone when `isPrivate`, or else as the process's mask has it.
  ///
  /// Throws `.invalidArgument` when there is one and `replacing` is false, when it is one of
  /// `sources`, or no regular file; `.inputOutput`, `.notFound` (the folder) with the system's
  /// reason.
  @export(interface)
  package static func created(
    path: UnsafePointer<CChar>, replacing: Bool, sources: [InputFile] = [],
    isPrivate: Bool = false, calls: WriteCalls = .system
  ) throws(EngineError) -> OutputFile {
    guard unsafe path.pointee != 0 else { throw EngineError(.invalidArgument, "the path is empty") }
    let name = unsafe quotedLastComponent(of: path)
    let there = unsafe calls.identify(path)
    if let there {
      try check(there, name, replacing: replacing, sources)
      let code = unsafe calls.probe(path)
      guard code == 0 else { throw failure("write", name, code) }
    }
    let bytes = try unsafe place(path, name, follows: replacing, there, calls)
    var temporary: [CChar] = []
    var descriptor: Int32 = 0
    // Until it has the permissions of the old one, it has none but its owner's.
    let mode: UInt32 = isPrivate || there != nil ? 0o600 : 0o666
    // A name that another process has in use is not ours.
    for attempt in 0..<16 {
      temporary = try joined(bytes, ".partial-\(calls.processID())-\(attempt)")
      descriptor = calls.create(temporary, mode)
      if !isExistence(0 &- descriptor) { break }
    }
    guard descriptor >= 0 else { throw failure("create", name, 0 &- descriptor) }
    return OutputFile(
      path: try joined(bytes, ""), name: name, temporary: temporary, descriptor: descriptor,
      replaces: replacing, calls: calls)
  }

  private init(
    path: [CChar], name: String, temporary: [CChar], descriptor: Int32, replaces: Bool,
    calls: WriteCalls
  ) {
    self.path = path
    self.name = name
    self.temporary = temporary
    self.descriptor = descriptor
    self.replaces = replaces
    self.calls = calls
  }

  /// Throws unless what is there may be replaced.
  private static func check(
    _ there: FileIdentity, _ name: String, replacing: Bool, _ sources: [InputFile]
  ) throws(EngineError) {
    for index in below(sources.count) where try sources.at(index).isSame(there) {
      throw EngineError(.invalidArgument, "\(name) is the file that is read")
    }
    // A file is written at its end first; what only takes bytes in order cannot hold it.
    if let kind = irregularKind(there.mode) {
      throw EngineError(
        .invalidArgument, "\(name) is \(kind); allowed is a regular file, or a new one")
    }
    guard replacing else {
      throw EngineError(.invalidArgument, "\(name) exists; overwriting was not asked for")
    }
  }

  /// The bytes of the path that is written to, without a NUL.
  private static func place(
    _ path: UnsafePointer<CChar>, _ name: String, follows: Bool, _ there: FileIdentity?,
    _ calls: WriteCalls
  ) throws(EngineError) -> Growable<CChar> {
    var bytes = Growable<CChar>()
    guard follows else {
      while unsafe path[bytes.count] != 0 { try bytes.append(unsafe path[bytes.count]) }
      return bytes
    }
    // The system's longest path, and as much to work in.
    bytes = try Growable(filled: 0, count: 2 * 4096)
    let target = try unsafe bytes.all()
    let code = unsafe calls.follow(path, target)
    guard code == 0 else { throw failure("write", name, code) }
    var found = Growable<CChar>()
    while try bytes.at(found.count) != 0 { try found.append(bytes.at(found.count)) }
    // Links of /proc show names that no file has.
    if let there, let base = target.baseAddress {
      guard let now = unsafe calls.identify(base), now.inode == there.inode,
        now.device == there.device
      else {
        throw EngineError(.invalidArgument, "\(name) leads to a file without a path")
      }
    }
    return found
  }

  /// A path with what its last component shall end with, and a NUL.
  private static func joined(
    _ path: Growable<CChar>, _ suffix: String
  ) throws(EngineError) -> [CChar] {
    var whole = path
    for scalar in suffix.unicodeScalars {
      try whole.append(CChar(truncatingIfNeeded: scalar.value))
    }
    try whole.append(0)
    return try whole.array()
  }

  deinit {
    calls.close(descriptor)
    // Renamed by `commit`, it is no longer there.
    calls.remove(temporary)
  }

  /// Writes bytes at an offset.
  ///
  /// Throws `.inputOutput`.
  @export(interface)
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

  /// Brings everything to the disk, with the permissions of what is replaced, and gives the file
  /// its name.
  ///
  /// Throws `.inputOutput`, and `.invalidArgument` when another file has taken the name meanwhile.
  @export(interface)
  package func commit() throws(EngineError) {
    if replaces {
      let inherited = calls.inherit(descriptor, path)
      guard inherited == 0 else { throw failure("set the permissions of", inherited) }
    }
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

  /// Why a file could not be begun.
  private static func failure(_ what: String, _ name: String, _ code: Int32) -> EngineError {
    EngineError(
      isAbsence(code) ? .notFound : .inputOutput, "cannot \(what) \(name): \(errorName(code))")
  }
}
