// The operating system against a reader: it refuses, interrupts, gives less, and changes the file.

import Base
import Formats
import Glibc
import Support
import Synchronization
import Testing

/// System calls that count themselves and fail on request.
private final class FaultyCalls: Sendable {
  struct State {
    var calls = 0
    var open = 0
    var failing = Int.max
    var code: Int32 = EIO
    var interruptions = 0
    var mostBytes = Int.max
  }

  let state = Mutex(State())

  /// The error of this call; nil when it shall work.
  private func fault() -> Int32? {
    state.withLock { state in
      if state.interruptions > 0 {
        state.interruptions -= 1
        return EINTR
      }
      state.calls += 1
      return state.calls == state.failing ? state.code : nil
    }
  }

  var calls: FileCalls {
    var calls = FileCalls.system
    calls.open = { path in
      if let fault = self.fault() { return -fault }
      let descriptor = FileCalls.system.open(path)
      if descriptor >= 0 { self.state.withLock { $0.open += 1 } }
      return descriptor
    }
    calls.identify = { descriptor, identity in
      // `fstat` is never interrupted.
      let interruptions = self.state.withLock { state in
        defer { state.interruptions = 0 }
        return state.interruptions
      }
      defer { self.state.withLock { $0.interruptions = interruptions } }
      if let fault = self.fault() { return -fault }
      return FileCalls.system.identify(descriptor, &identity)
    }
    calls.read = { descriptor, buffer, offset in
      if let fault = self.fault() { return -Int(fault) }
      let most = self.state.withLock { $0.mostBytes }
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(most))
      return FileCalls.system.read(descriptor, part, offset)
    }
    calls.close = { descriptor in
      self.state.withLock { $0.open -= 1 }
      FileCalls.system.close(descriptor)
    }
    return calls
  }
}

@Suite struct FileFaults {
  private func withModel(_ body: (String) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/model.gguf"
      try tinyModel().write(to: path)
      try body(path)
    }
  }

  @Test("R05 R06 R07 the Nth call fails, for every N; no descriptor is left")
  func everyCall() throws {
    try withTemporaryDirectory { directory in
      let path = try tinyModel().writeParts(3, prefix: "\(directory)/m")[0]
      var failing = 1
      while true {
        let faulty = FaultyCalls()
        faulty.state.withLock { $0.failing = failing }
        do throws(EngineError) {
          _ = try openModel(path, calls: faulty.calls)
          #expect(faulty.state.withLock { $0.open } == 0)
          break
        } catch {
          #expect(error.kind == .inputOutput, "call \(failing): \(error)")
          #expect(error.message.contains("EIO"), "\(error)")
          expectWellMade(error.message)
        }
        #expect(faulty.state.withLock { $0.open } == 0, "call \(failing)")
        failing += 1
      }
      // Three parts: open, two looks at the file, and at least two reads each.
      #expect(failing > 15)
    }
  }

  @Test(
    "R05 the reason of a refusal is named",
    arguments: [
      (EACCES, .inputOutput, "EACCES"), (EMFILE, .inputOutput, "EMFILE"),
      (ENFILE, .inputOutput, "ENFILE"), (ENOENT, .notFound, "ENOENT"),
      (ENOTDIR, .notFound, "ENOTDIR"), (ENOMEM, .outOfMemory, "ENOMEM"),
      (ENOSYS, .inputOutput, "errno \(ENOSYS)"),
    ] as [(Int32, EngineError.Kind, String)])
  func refusals(code: Int32, kind: EngineError.Kind, name: String) throws {
    let faulty = FaultyCalls()
    faulty.state.withLock { ($0.failing, $0.code) = (1, code) }
    expectError(kind, ["cannot open 'model.gguf'", name]) {
      _ = try openModel("/nowhere/model.gguf", calls: faulty.calls)
    }
  }

  @Test("R07 short reads and interruptions are gone on with", arguments: [1, 2, 7, 4_096])
  func shortReads(count: Int) throws {
    try withModel { path in
      let faulty = FaultyCalls()
      faulty.state.withLock { ($0.mostBytes, $0.interruptions) = (count, 100) }
      let file = try openModel(path, calls: faulty.calls)
      #expect(try contents(of: "blk.0.attn_q.weight", in: file) == Array(0..<68))
    }
  }

  @Test("R06 a file that is shorter than the system says")
  func wrongSize() throws {
    try withModel { path in
      var calls = FileCalls.system
      calls.identify = { descriptor, identity in
        let result = FileCalls.system.identify(descriptor, &identity)
        identity.byteCount += 1
        return result
      }
      expectError(.changed, ["the file ends at byte", "when it was opened"]) {
        _ = try openModel(path, calls: calls)
      }
    }
  }

  @Test("G62 huge files with little in them")
  func sparse() throws {
    try withModel { path in
      try check(truncate(path, 1 << 40), "truncate")
      #expect(try openModel(path).byteCount == 1 << 40)
      var calls = FileCalls.system
      calls.identify = { descriptor, identity in
        let result = FileCalls.system.identify(descriptor, &identity)
        identity.byteCount = .max
        return result
      }
      #expect(try openModel(path, calls: calls).byteCount == UInt64(Int64.max))
      var bytes = tinyModel().bytes()
      bytes.replaceSubrange(16..<24, with: withUnsafeBytes(of: UInt64(1 << 33), Array.init))
      try writeFile(bytes, to: path)
      try check(truncate(path, 1 << 40), "truncate")
      expectError(.limitExceeded, ["key count is \(1 << 33)", "0..65536"]) {
        _ = try openModel(path)
      }
    }
  }

  @Test("R14 what is not a regular file")
  func irregular() throws {
    try withTemporaryDirectory { directory in
      try check(mkfifo("\(directory)/pipe", 0o600), "mkfifo")
      let kinds = [
        ("\(directory)/pipe", "a pipe"), (directory, "a directory"), ("/dev/zero", "a device"),
      ]
      for (path, kind) in kinds {
        expectError(.inputOutput, [kind, "not a regular file"]) { _ = try openModel(path) }
      }
    }
    expectError(.notFound, ["''", "ENOENT"]) { _ = try openModel("") }
    let long = "/" + String(repeating: "x", count: 5_000)
    expectError(.inputOutput, ["xxx…'", "ENAMETOOLONG"]) { _ = try openModel(long) }
  }

  @Test("R21 a descriptor of a standard stream is not kept")
  func standardStreams() throws {
    try withModel { path in
      let closed = Mutex<[Int32]>([])
      let real = Mutex<Int32>(-1)
      var calls = FileCalls.system
      calls.open = { path in
        let descriptor = FileCalls.system.open(path)
        real.withLock { $0 = descriptor }
        return 1
      }
      calls.duplicate = { descriptor in descriptor == 1 ? real.withLock { $0 } : -EBADF }
      calls.close = { descriptor in
        closed.withLock { $0.append(descriptor) }
        if descriptor > 2 { FileCalls.system.close(descriptor) }
      }
      let tensorCount = try openModel(path, calls: calls).tensors.count
      #expect(tensorCount == 3)
      #expect(closed.withLock { $0 } == [1, real.withLock { $0 }])
      calls.duplicate = { _ in -EMFILE }
      expectError(.inputOutput, ["EMFILE"]) { _ = try openModel(path, calls: calls) }
      FileCalls.system.close(real.withLock { $0 })
    }
  }

  @Test("R15 a file that is cut while it is open")
  func shrinks() throws {
    try withModel { path in
      let file = try openModel(path)
      try file.checkUnchanged()
      try check(truncate(path, 40), "truncate")
      expectError(.changed, ["'model.gguf'", "has 40 bytes"]) { try file.checkUnchanged() }
      expectError(.changed, ["'model.gguf'", "the file ends at byte"]) {
        _ = try contents(of: "output_norm.weight", in: file)
      }
    }
  }

  @Test("R16 a file that is written to; replaced and removed ones are still the old")
  func overwritten() throws {
    try withModel { path in
      let file = try openModel(path)
      try check(rename(path, path + ".old"), "rename")
      try writeFile([0], to: path)
      try file.checkUnchanged()
      try check(unlink(path + ".old"), "unlink")
      try file.checkUnchanged()
      #expect(try contents(of: "blk.0.attn_q.weight", in: file) == Array(0..<68))
    }
    try withModel { path in
      let file = try openModel(path)
      try check(chmod(path, 0o400), "chmod")
      try file.checkUnchanged()
      // Set, not waited for: the clock of a file system may be coarse.
      var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
      try check(utimensat(AT_FDCWD, path, &times, 0), "utimensat")
      expectError(.changed, ["written to"]) { try file.checkUnchanged() }
    }
  }

  @Test("the ceiling of mapped files")
  func mappings() throws {
    try withModel { path in
      let file = try openModel(path)
      var mappings: [FileMapping] = []
      for _ in 0..<4096 { mappings.append(try file.map(part: 0)) }
      expectError(.limitExceeded, ["'model.gguf'", "more than 4096 files"]) {
        _ = try file.map(part: 0)
      }
      mappings.removeFirst()
      mappings.append(try file.map(part: 0))
      let damaged = mappings.contains(where: \.isDamaged)
      #expect(!damaged)
    }
  }

  @Test("a read outside of the file is our own mistake and no trap")
  func outside() throws {
    try withModel { path in
      let file = try openModel(path)
      var bytes = [UInt8](repeating: 0, count: 8)
      for (part, offset): (Int, UInt64) in [
        (0, file.byteCount - 7), (0, .max), (0, 0 &- 8), (1, 0), (-1, 0),
      ] {
        expectError(.internal, []) {
          try bytes.withUnsafeMutableBytes { (buffer: UnsafeMutableRawBufferPointer) in
            try file.read(into: buffer, part: part, at: offset)
          }
        }
      }
      let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
      try file.read(into: nothing, part: 0, at: file.byteCount)
    }
  }
}
