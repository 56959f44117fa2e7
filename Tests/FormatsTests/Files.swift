// Small file operations for the tests of this room.

import Glibc
import Support

/// The bytes of a whole file.
func readFile(_ path: String) throws -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw SystemFailure(call: "open \(path)") }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    guard count >= 0 else { throw SystemFailure(call: "read \(path)") }
    guard count > 0 else { return bytes }
    bytes += chunk[..<count]
  }
}

/// Throws the reason when a system call gave -1.
func check(_ result: Int32, _ call: String) throws {
  guard result == 0 else { throw SystemFailure(call: call) }
}
