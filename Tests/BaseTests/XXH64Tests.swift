// XXH64 against the `xxhash` package. Made by Tests/Oracle/formats/make_xxh64.py.
import Base
import Support
import Testing

@Suite struct Checksums {
  private static func expected() throws -> [(length: Int, sum: UInt64)] {
    let text = String(
      decoding: try fileBytes(repositoryPath("Tests/Oracle/formats/xxh64.txt")), as: UTF8.self)
    return try text.split(separator: "\n").map { line in
      let words = line.split(separator: " ")
      return (try #require(Int(words[0])), try #require(UInt64(words[1], radix: 16)))
    }
  }

  private static func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(7 * $0 % 251) }
  }

  @Test("of bytes at once")
  func whole() throws {
    for (length, sum) in try Self.expected() {
      #expect(Self.bytes(length).withUnsafeBytes { XXH64.of($0) } == sum, "\(length) bytes")
    }
  }

  @Test("of bytes in pieces of every size", arguments: [1, 3, 31, 32, 33, 64, 100])
  func pieces(size: Int) throws {
    for (length, sum) in try Self.expected() {
      var running = XXH64()
      Self.bytes(length).withUnsafeBytes { bytes in
        for start in stride(from: 0, to: length, by: size) {
          let piece = bytes[start..<min(start + size, length)]
          running.update(UnsafeRawBufferPointer(rebasing: piece))
        }
      }
      #expect(running.value == sum, "\(length) bytes")
    }
  }
}
