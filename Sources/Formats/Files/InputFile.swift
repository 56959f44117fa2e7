// A regular file, open for reading and mapped only when a host asks for it: it may shrink or be
// overwritten at any time, and then a read is an error, where a mapped page is a fatal signal.
import Base
import Platform

/// An open file whose bytes are read at offsets; closed with its last reference.
///
/// Threads: any number may read at once.
package final class InputFile: Sendable {
  /// The last component of its path, quoted for sentences.
  package let name: String
  /// Its size in bytes when it was opened.
  package let byteCount: UInt64
  private let descriptor: Int32
  /// Where it was opened, with a NUL.
  private let path: [CChar]
  private let identity: FileIdentity
  private let calls: FileCalls

  /// Opens a path, given as the bytes that the system takes.
  ///
  /// Throws `.notFound`, `.inputOutput` (not a regular file, or the system's reason),
  /// `.outOfMemory`.
  @export(interface)
  package static func open(
    path: UnsafePointer<CChar>, calls: FileCalls = .system
  ) throws(EngineError) -> InputFile {
    let name = unsafe quotedLastComponent(of: path)
    var descriptor: Int32
    repeat { descriptor = unsafe calls.open(path) } while isInterruption(0 &- descriptor)
    guard descriptor >= 0 else { throw openError(name, 0 &- descriptor) }
    if descriptor < 3 {
      // A host that closed its standard streams would otherwise print into the model's descriptor.
      let copy = calls.duplicate(descriptor)
      calls.close(descriptor)
      guard copy >= 0 else { throw openError(name, 0 &- copy) }
      descriptor = copy
    }
    var identity = FileIdentity()
    let failure = calls.identify(descriptor, &identity)
    guard failure == 0 else {
      calls.close(descriptor)
      throw openError(name, 0 &- failure)
    }
    if let kind = irregularKind(identity.mode) {
      calls.close(descriptor)
      throw EngineError(.inputOutput, "\(name) is \(kind), not a regular file")
    }
    var bytes = Growable<CChar>()
    do throws(EngineError) {
      while unsafe path[bytes.count] != 0 { try bytes.append(unsafe path[bytes.count]) }
      try bytes.append(0)
      return InputFile(
        name: name, descriptor: descriptor, path: try bytes.array(), identity: identity,
        calls: calls)
    } catch {
      calls.close(descriptor)
      throw error
    }
  }

  private init(
    name: String, descriptor: Int32, path: [CChar], identity: FileIdentity, calls: FileCalls
  ) {
    self.name = name
    self.path = path
    self.byteCount = UInt64(clamping: identity.byteCount)
    self.descriptor = descriptor
    self.identity = identity
    self.calls = calls
  }

  deinit { calls.close(descriptor) }

  /// Fills `buffer` with the bytes from `offset` on.
  ///
  /// Throws `.changed` when the file has become shorter, `.inputOutput` with the system's reason,
  /// `.internal` for a range outside of the file as it was opened.
  @export(interface)
  package func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(EngineError) {
    let (end, overflow) = offset.addingReportingOverflow(UInt64(buffer.count))
    guard !overflow, end <= byteCount, Int64(exactly: end) != nil else {
      throw error(
        .internal,
        "a read of \(buffer.count) bytes at byte \(offset) is outside of \(byteCount) bytes")
    }
    var done = 0
    while done < buffer.count {
      let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let position = Int64(truncatingIfNeeded: offset) &+ Int64(done)
      let count = unsafe calls.read(descriptor, rest, position)
      if count < 0 {
        let code = Int32(truncatingIfNeeded: 0 &- count)
        if isInterruption(code) { continue }
        throw error(.inputOutput, "cannot read at byte \(position): \(errorName(code))")
      }
      guard count > 0 else {
        throw error(
          .changed,
          "the file ends at byte \(position); it had \(byteCount) bytes when it was opened")
      }
      done &+= min(count, rest.count)
    }
  }

  /// Throws `.changed` when the file was written to after it was opened, as far as the system says.
  ///
  /// It says so by the file's size, the time of its last writing and, where that was put back, the
  /// time of its last change, which nobody can set. A file that was replaced by a rename, renamed,
  /// removed or given other permissions is unchanged: the descriptor holds the old one. These move
  /// the time of change too, so a writing that comes with one of them and puts its time back is not
  /// seen; nor is one within the same tick of the system's clock (some milliseconds) as the
  /// opening. Other attributes, and times that are set alone, count as written.
  @export(interface)
  package func checkUnchanged() throws(EngineError) {
    var now = FileIdentity()
    let failure = calls.identify(descriptor, &now)
    guard failure == 0 else {
      throw error(.inputOutput, "cannot look at the file: \(errorName(0 &- failure))")
    }
    guard now.byteCount == identity.byteCount else {
      throw error(
        .changed, "the file has \(now.byteCount) bytes; it had \(byteCount) when it was opened")
    }
    guard now.modifiedSeconds == identity.modifiedSeconds,
      now.modifiedNanoseconds == identity.modifiedNanoseconds,
      now.changedSeconds == identity.changedSeconds
        && now.changedNanoseconds == identity.changedNanoseconds || isExplained(now)
    else { throw error(.changed, "the file was written to after it was opened") }
  }

  /// Whether there is another reason than writing why the time of change is another.
  private func isExplained(_ now: FileIdentity) -> Bool {
    guard now.linkCount == identity.linkCount, now.mode == identity.mode,
      now.owner == identity.owner, now.group == identity.group
    else { return true }
    // Renamed: its path leads elsewhere, or nowhere.
    var found = FileIdentity()
    let failure = unsafe path.withUnsafeBufferPointer { path -> Int32 in
      guard let base = path.baseAddress else { return -1 }
      return unsafe calls.look(base, &found)
    }
    return failure != 0 || !isSame(found)
  }

  /// Whether an identity is this file's, by whatever path.
  func isSame(_ other: FileIdentity) -> Bool {
    other.device == identity.device && other.inode == identity.inode
  }

  /// Maps the whole file for reading, shared with other processes.
  ///
  /// Throws `.inputOutput`, `.outOfMemory`, `.limitExceeded`. A page of a file that was cut
  /// meanwhile raises SIGBUS, which the host may have guarded (Sources/Platform/guard.c).
  @export(interface)
  package func map() throws(EngineError) -> FileMapping {
    guard let size = Int(exactly: byteCount), size > 0 else {
      throw error(.inputOutput, "cannot map \(byteCount) bytes")
    }
    let base: UnsafeMutableRawPointer?
    let code: Int32
    unsafe (base, code) = unsafe calls.map(descriptor, size)
    guard let base = unsafe base else {
      throw error(
        isMemoryShortage(code) ? .outOfMemory : .inputOutput, "cannot map: \(errorName(code))")
    }
    let number = unsafe platform_mapping_added(base, byteCount)
    guard number >= 0 else {
      unsafe calls.unmap(base, size)
      throw error(.limitExceeded, "more than \(PLATFORM_MOST_MAPPINGS) files are mapped; free some")
    }
    return unsafe FileMapping(
      base: base, byteCount: size, name: name, number: number, calls: calls)
  }

  /// An error about this file; `text` is the sentence after its name.
  func error(_ kind: EngineError.Kind, _ text: String) -> EngineError {
    EngineError(kind, "\(name): \(text)")
  }
}

/// A file in memory; unmapped with its last reference.
@safe package final class FileMapping: @unchecked Sendable {
  /// Readable, never writable.
  package let base: UnsafeMutableRawPointer
  private let byteCount: Int
  private let name: String
  /// The guard's.
  private let number: Int32
  private let calls: FileCalls

  fileprivate init(
    base: UnsafeMutableRawPointer, byteCount: Int, name: String, number: Int32, calls: FileCalls
  ) {
    unsafe self.base = base
    self.byteCount = byteCount
    self.name = name
    self.number = number
    self.calls = calls
  }

  deinit {
    platform_mapping_removed(number)
    unsafe calls.unmap(base, byteCount)
  }

  /// Whether some of it was not there when it was read: from then on all of it is zeros.
  package var isDamaged: Bool { platform_mapping_is_damaged(number) != 0 }

  /// `.changed`, for one that is damaged.
  package var damage: EngineError {
    EngineError(.changed, "\(name): the file was cut, or could not be read, while it was mapped")
  }
}

private func openError(_ name: String, _ code: Int32) -> EngineError {
  let kind: EngineError.Kind =
    isAbsence(code) ? .notFound : isMemoryShortage(code) ? .outOfMemory : .inputOutput
  return EngineError(kind, "cannot open \(name): \(errorName(code))")
}

func quotedLastComponent(of path: UnsafePointer<CChar>) -> String {
  var start = 0
  var end = 0
  while unsafe path[end] != 0 {
    if unsafe path[end] == 0x2f, unsafe path[end &+ 1] != 0 { start = end &+ 1 }
    end &+= 1
  }
  var bytes: [UInt8] = []
  // Reads one byte more than a sentence shows, so that a cut is seen as one.
  while start < end, bytes.count <= quotedByteCount {
    bytes.append(UInt8(bitPattern: unsafe path[start]))
    start &+= 1
  }
  return quoted(bytes)
}
