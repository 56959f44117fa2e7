// Small file operations for the tests of this room.

import Glibc
import Support

/// Throws the reason when a system call gave -1.
func check(_ result: Int32, _ call: String) throws {
  guard result == 0 else { throw SystemFailure(call: call) }
}
