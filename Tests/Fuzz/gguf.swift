// Any bytes as a model's file: the reader, the whole load, and four tokens when it succeeds.
import CMixtral

private let file = MemoryFile()

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  file.write(UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : size))
  loadAndUse(file.path, Loading())
  return 0
}
