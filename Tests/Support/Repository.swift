// Files of the repository that tests read.
import Glibc

/// A path below the repository's root, found from where this file lies.
package func repositoryPath(_ path: String) -> String {
  #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/" + path
}

/// The bytes of a whole file.
package func fileBytes(_ path: String) throws -> [UInt8] {
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
