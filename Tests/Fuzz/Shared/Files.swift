// Files that never touch a disk.
import Glibc
import Support

/// A file in memory, written anew for each input.
struct MemoryFile: Sendable {
  private let descriptor: Int32
  /// The path that opens it again.
  var path: String { "/proc/self/fd/\(descriptor)" }

  init() {
    var name = Array("/dev/shm/mixtral-fuzz-XXXXXX".utf8CString)
    descriptor = mkstemp(&name)
    require(descriptor >= 0 && unlink(name) == 0, "no file in /dev/shm")
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    require(ftruncate(descriptor, 0) == 0, "ftruncate fails")
    let count = pwrite(descriptor, bytes.baseAddress, bytes.count, 0)
    require(count == bytes.count, "pwrite fails")
  }

  func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }
}

/// A folder for what has to have a name: parts of split models, packed files.
enum SharedMemory {
  static let folder: String = {
    let path = "/dev/shm/mixtral-fuzz-\(getpid())"
    require(mkdir(path, 0o700) == 0, "mkdir fails")
    atexit {
      // Names that targets use.
      for name in ["source.gguf", "packed.gguf", "session.state"] {
        unlink("\(SharedMemory.folder)/\(name)")
      }
      for number in 1...3 {
        for count in 2...3 { unlink(SharedMemory.part(number, count)) }
      }
      rmdir(SharedMemory.folder)
    }
    return path
  }()

  static func part(_ number: Int, _ count: Int) -> String {
    "\(folder)/part-0000\(number)-of-0000\(count).gguf"
  }

  static func write(_ bytes: [UInt8], _ path: String) {
    do { try writeFile(bytes, to: path) } catch { finding("cannot write \(path)") }
  }

  static func remove(_ path: String) { unlink(path) }
}
