// The one file of this room that talks to the operating system. Tests replace a call to make it
// fail.

import Platform

/// The facts that tell whether a file is still the one that was opened.
package struct FileIdentity: Equatable, Sendable {
  /// The file's type and permissions, as `st_mode`.
  package var mode: UInt32 = 0
  /// The device that holds the file.
  package var device: UInt64 = 0
  /// The file's number on its device.
  package var inode: UInt64 = 0
  /// Its names: 0 once it is removed or another has taken its place.
  package var linkCount: UInt64 = 0
  package var owner: UInt32 = 0
  package var group: UInt32 = 0
  /// The file's size in bytes.
  package var byteCount: Int64 = 0
  /// The time of the last change of its content, in seconds.
  package var modifiedSeconds: Int = 0
  /// The rest of that time, in nanoseconds.
  package var modifiedNanoseconds: Int = 0
  /// The time of the last change of content, names or permissions, in seconds; nobody can set it.
  package var changedSeconds: Int = 0
  /// The rest of that time, in nanoseconds.
  package var changedNanoseconds: Int = 0

  /// A blank identity, to be filled by `FileCalls.identify`.
  package init() {}

  fileprivate init(_ status: stat) {
    mode = UInt32(truncatingIfNeeded: status.st_mode)
    device = UInt64(truncatingIfNeeded: status.st_dev)
    inode = UInt64(truncatingIfNeeded: status.st_ino)
    linkCount = UInt64(truncatingIfNeeded: status.st_nlink)
    owner = status.st_uid
    group = status.st_gid
    byteCount = Int64(status.st_size)
    modifiedSeconds = Int(status.st_mtim.tv_sec)
    modifiedNanoseconds = Int(status.st_mtim.tv_nsec)
    changedSeconds = Int(status.st_ctim.tv_sec)
    changedNanoseconds = Int(status.st_ctim.tv_nsec)
  }
}

/// A descriptor, or its negative errno.
///
/// A descriptor that is left open by a failure is closed then (Sources/Platform/recovery.c).
private func opened(_ descriptor: Int32) -> Int32 {
  guard descriptor >= 0 else { return 0 &- platform_errno() }
  platform_file_opened(descriptor)
  return descriptor
}

private func closed(_ descriptor: Int32) {
  platform_file_closed(descriptor)
  _ = Platform.close(descriptor)
}

/// The system calls that reading a file needs; each gives a negative errno when it fails.
@safe package struct FileCalls: Sendable {
  /// Opens a path for reading, without waiting for a writer; the descriptor.
  package var open: @Sendable (UnsafePointer<CChar>) -> Int32
  /// Copies a descriptor to a number of at least 3; the new descriptor.
  package var duplicate: @Sendable (Int32) -> Int32
  /// Describes an open file; zero.
  package var identify: @Sendable (Int32, inout FileIdentity) -> Int32
  /// Describes what is at a path; zero, or an errno.
  package var look: @Sendable (UnsafePointer<CChar>, inout FileIdentity) -> Int32
  /// Reads bytes at an offset; their count, 0 at the end of the file.
  package var read: @Sendable (Int32, UnsafeMutableRawBufferPointer, Int64) -> Int
  /// Closes a descriptor.
  package var close: @Sendable (Int32) -> Void
  /// Maps so many bytes of a file for reading; nil and an errno.
  package var map: @Sendable (Int32, Int) -> (UnsafeMutableRawPointer?, Int32)
  package var unmap: @Sendable (UnsafeMutableRawPointer, Int) -> Void

  /// The system's own calls.
  package static let system = unsafe FileCalls(
    open: { path in
      // A FIFO without a writer would hold a plain open for ever.
      opened(unsafe platform_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0))
    },
    duplicate: { descriptor in
      opened(platform_duplicate(descriptor, 3))
    },
    identify: { descriptor, identity in
      var status = stat()
      guard unsafe fstat(descriptor, &status) == 0 else { return 0 &- platform_errno() }
      identity = FileIdentity(status)
      return 0
    },
    look: { path, identity in
      var status = stat()
      guard unsafe stat(path, &status) == 0 else { return platform_errno() }
      identity = FileIdentity(status)
      return 0
    },
    read: { descriptor, buffer, offset in
      let count = unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
      return count < 0 ? 0 &- Int(platform_errno()) : count
    },
    close: { descriptor in closed(descriptor) },
    map: { descriptor, byteCount in
      let base = unsafe mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0)
      return unsafe base == platform_map_failed() ? (nil, platform_errno()) : (base, 0)
    },
    unmap: { base, byteCount in _ = unsafe munmap(base, byteCount) })
}

/// The system calls that writing a file needs; each gives a negative errno when it fails.
@safe package struct WriteCalls: Sendable {
  /// The identity of the file at a path, through symbolic links; nil when there is none.
  package var identify: @Sendable (UnsafePointer<CChar>) -> FileIdentity?
  /// Looks whether the file at a path may be written; zero, or an errno.
  package var probe: @Sendable (UnsafePointer<CChar>) -> Int32
  /// Writes where a path leads when no symbolic link at its end is left, with a NUL; zero, or an
  /// errno.
  package var follow: @Sendable (UnsafePointer<CChar>, UnsafeMutableBufferPointer<CChar>) -> Int32
  /// Creates a file that is not there, with these permissions at most; the descriptor.
  package var create: @Sendable ([CChar], UInt32) -> Int32
  /// Gives an open file the owner and the permissions of what is at a path, if something is; zero,
  /// or an errno.
  package var inherit: @Sendable (Int32, [CChar]) -> Int32
  /// Writes bytes at an offset; their count.
  package var write: @Sendable (Int32, UnsafeRawBufferPointer, Int64) -> Int
  /// Brings a file to the disk; zero.
  package var sync: @Sendable (Int32) -> Int32
  /// Renames, over a file that is there only if asked to; zero.
  package var rename: @Sendable ([CChar], [CChar], Bool) -> Int32
  package var remove: @Sendable ([CChar]) -> Void
  package var close: @Sendable (Int32) -> Void
  package var processID: @Sendable () -> Int32

  /// The system's own calls.
  package static let system = unsafe WriteCalls(
    identify: { path in
      var status = stat()
      guard unsafe stat(path, &status) == 0 else { return nil }
      return FileIdentity(status)
    },
    probe: { path in
      let flags = O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
      let descriptor = unsafe platform_open(path, flags, 0)
      guard descriptor >= 0 else { return platform_errno() }
      _ = Platform.close(descriptor)
      return 0
    },
    follow: { path, target in
      guard let base = target.baseAddress else { return ENAMETOOLONG }
      return unsafe platform_follow_links(path, base, UInt64(clamping: target.count))
    },
    create: { path, mode in
      opened(unsafe platform_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode))
    },
    inherit: { descriptor, path in unsafe platform_inherit(descriptor, path) },
    write: { descriptor, bytes, offset in
      withoutFileSizeSignal {
        let count = unsafe pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
        return count < 0 ? 0 &- Int(platform_errno()) : count
      }
    },
    sync: { descriptor in fsync(descriptor) == 0 ? 0 : 0 &- platform_errno() },
    rename: { from, to, replaces in
      // A link, unlike a rename, never replaces; some file systems have none.
      if !replaces, unsafe link(from, to) == 0 {
        return unsafe unlink(from) == 0 ? 0 : 0 &- platform_errno()
      }
      if !replaces, platform_errno() != EPERM, platform_errno() != EOPNOTSUPP {
        return 0 &- platform_errno()
      }
      return unsafe Platform.rename(from, to) == 0 ? 0 : 0 &- platform_errno()
    },
    remove: { path in _ = unsafe unlink(path) },
    close: { descriptor in closed(descriptor) },
    processID: { getpid() })
}

/// Runs a write so that a limit on file sizes is EFBIG and not a signal that ends the host.
private func withoutFileSizeSignal(_ body: () -> Int) -> Int {
  var signals = sigset_t()
  var before = sigset_t()
  unsafe sigemptyset(&signals)
  unsafe sigaddset(&signals, SIGXFSZ)
  unsafe pthread_sigmask(SIG_BLOCK, &signals, &before)
  let result = body()
  if result == 0 &- Int(EFBIG) {
    var none = timespec()
    _ = unsafe sigtimedwait(&signals, nil, &none)
  }
  unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
  return result
}

/// The kind of file that a mode says; nil for a regular one.
func irregularKind(_ mode: UInt32) -> String? {
  switch mode & UInt32(S_IFMT) {
  case UInt32(S_IFREG): nil
  case UInt32(S_IFDIR): "a directory"
  case UInt32(S_IFIFO): "a pipe"
  case UInt32(S_IFCHR), UInt32(S_IFBLK): "a device"
  case UInt32(S_IFSOCK): "a socket"
  default: "a special file"
  }
}

/// The name of an errno, such as "EACCES". (`strerror` would ask the host's locale.)
func errorName(_ code: Int32) -> String {
  switch code {
  case EPERM: "EPERM (not permitted)"
  case ENOENT: "ENOENT (no such file)"
  case EIO: "EIO (input/output error)"
  case ENXIO: "ENXIO (no such device)"
  case ENOMEM: "ENOMEM (out of memory)"
  case EACCES: "EACCES (permission denied)"
  case ENODEV: "ENODEV (no such device)"
  case ENOTDIR: "ENOTDIR (not a directory)"
  case EISDIR: "EISDIR (is a directory)"
  case EINVAL: "EINVAL (invalid argument)"
  case ENFILE: "ENFILE (too many open files in the system)"
  case EMFILE: "EMFILE (too many open files)"
  case ENAMETOOLONG: "ENAMETOOLONG (name too long)"
  case ELOOP: "ELOOP (too many symbolic links)"
  case EOVERFLOW: "EOVERFLOW (file too large)"
  case ESTALE: "ESTALE (stale file handle)"
  case EEXIST: "EEXIST (file exists)"
  case ENOSPC: "ENOSPC (no space left)"
  case EDQUOT: "EDQUOT (quota exceeded)"
  case EFBIG: "EFBIG (file too large for a limit)"
  case EROFS: "EROFS (read-only file system)"
  case EAGAIN: "EAGAIN (not ready)"
  case EINTR: "EINTR (interrupted)"
  default: "errno \(code)"
  }
}

/// Whether an errno says that there is no such file.
func isAbsence(_ code: Int32) -> Bool { code == ENOENT || code == ENOTDIR }

/// Whether an errno says that there is such a file already.
func isExistence(_ code: Int32) -> Bool { code == EEXIST }

/// Whether an errno says that a signal came first and the call should be made again.
func isInterruption(_ code: Int32) -> Bool { code == EINTR }

/// Whether an errno says that memory is short.
func isMemoryShortage(_ code: Int32) -> Bool { code == ENOMEM }
