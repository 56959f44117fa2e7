// Findings besides a crash: a status that no input may cause, a sentence that is not one,
// a file that stays open.
import CMixtral
import Glibc

/// Ends the process, which libFuzzer takes for a crash and keeps the input.
func finding(_ sentence: String) -> Never {
  let line = Array("finding: \(sentence)\n".utf8)
  _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
  abort()
}

func require(_ condition: Bool, _ sentence: @autoclosure () -> String) {
  if !condition { finding(sentence()) }
}

/// The sentence of this thread's last failure.
func lastError() -> String { mixtral_last_error().map { String(cString: $0) } ?? "" }

/// Checks a status against those that the header allows besides OK; whether it is OK.
@discardableResult
func check(_ status: mixtral_status, _ function: String, allowed: [Int] = []) -> Bool {
  if status == 0 { return true }
  let name = mixtral_status_name(status).map { String(cString: $0) } ?? "?"
  let bytes = mixtral_last_error().map { UnsafeBufferPointer(start: $0, count: strlen($0)) }
  guard let bytes, !bytes.isEmpty, bytes.count <= 1023 else {
    finding("\(function): \(name) without a sentence of 1..1023 bytes")
  }
  let sentence = bytes.map(UInt8.init(bitPattern:))
  guard String(validating: sentence, as: UTF8.self) != nil,
    sentence.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
  else { finding("\(function): the sentence of \(name) is not plain UTF-8") }
  require(allowed.contains(Int(status)), "\(function) returns \(name): \(lastError())")
  return false
}

/// Statuses of opening a file: whatever a file may be.
let fileStatuses = [
  MIXTRAL_MALFORMED, MIXTRAL_UNSUPPORTED, MIXTRAL_LIMIT_EXCEEDED, MIXTRAL_OUT_OF_MEMORY,
]

/// Runs `body` and requires that it leaves no file open.
func withoutOpenFiles(_ body: () -> Void) {
  func next() -> Int32 {
    let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
    close(descriptor)
    return descriptor
  }
  let before = next()
  body()
  let after = next()
  require(before == after, "a file stays open: the next descriptor was \(before), is \(after)")
}

@_silgen_name("__lsan_disable") private func stopLookingForLeaks()
@_silgen_name("__lsan_enable") private func lookForLeaks()

/// Makes what lives as long as the process.
///
/// Swift keeps the case of an enum in unused bits of its pointer, and the leak sanitizer does not
/// know such a pointer; what is freed before the end needs none of this.
func lasting<Result>(_ make: () -> Result) -> Result {
  stopLookingForLeaks()
  defer { lookForLeaks() }
  return make()
}
