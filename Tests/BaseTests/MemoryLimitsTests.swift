// Limits of control groups, read from folders that look like a system's: both versions, side by
// side, nested, missing and damaged. Rounded down, the smallest ancestor's, and never by mistake.
import Base
import Glibc
import Platform
import Support
import Testing

/// A machine's /proc and /sys in a folder.
private struct Machine {
  let root: String

  /// Runs `body` with a machine of these files; paths without the first slash.
  static func with(_ files: [String: String], _ body: (Machine) throws -> Void) throws {
    try withTemporaryDirectory { root in
      let machine = Machine(root: root)
      defer { machine.remove(root) }
      for (path, text) in files { try machine.write(text, to: path) }
      try body(machine)
    }
  }

  func write(_ text: String, to path: String) throws {
    var folder = root
    for part in path.split(separator: "/").dropLast() {
      folder += "/" + part
      _ = mkdir(folder, 0o700)
    }
    let file = open(root + "/" + path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(file >= 0)
    defer { close(file) }
    var text = text
    let count = text.utf8.count
    try #require(text.withUTF8 { Glibc.write(file, $0.baseAddress, count) } == count)
  }

  /// Removes a folder inside the temporary one, which does not do so by itself.
  private func remove(_ path: String) {
    guard let directory = opendir(path) else { return }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      let child = path + "/" + name
      if unlink(child) != 0 { remove(child) }
    }
    closedir(directory)
    if path != root { rmdir(path) }
  }

  var processors: UInt32 { root.withCString { platform_quota_processors($0) } }
  var memory: platform_memory { root.withCString { platform_memory_left($0) } }
}

private let gigabyte: UInt64 = 1 << 30

// Lines of /proc/self/mountinfo, with a mount in front that has no word between "-" and the fifth.
private let disk = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
private let unified = disk + "35 23 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
private let separate =
  disk + """
    31 23 0:28 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755
    33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct
    35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory

    """

@Suite("control groups: processors")
struct QuotaTests {
  private func expect(_ processors: UInt32, _ files: [String: String]) throws {
    try Machine.with(files) { #expect($0.processors == processors, "\(files)") }
  }

  @Test(
    "the quota of a group of version 2, rounded down",
    arguments: [
      ("max 100000", 0), ("50000 100000", 1), ("100000 100000", 1), ("765000 100000", 7),
      ("199999 100000", 1), ("400000 200000", 2), ("300000", 3), ("1 1000000", 1),
    ] as [(String, UInt32)])
  func version2(text: String, processors: UInt32) throws {
    try expect(
      processors,
      [
        "proc/self/cgroup": "0::/a.slice/b.service\n", "proc/self/mountinfo": unified,
        "sys/fs/cgroup/a.slice/b.service/cpu.max": text + "\n",
      ])
  }

  @Test("every ancestor counts, and the smallest wins")
  func nested() throws {
    for (own, middle, top) in [(3, 5, 8), (8, 3, 5), (5, 8, 3)] {
      try expect(
        3,
        [
          "proc/self/cgroup": "0::/top/middle/own\n", "proc/self/mountinfo": unified,
          "sys/fs/cgroup/cpu.max": "max 100000\n",
          "sys/fs/cgroup/top/cpu.max": "\(top)00000 100000\n",
          "sys/fs/cgroup/top/middle/cpu.max": "\(middle)00000 100000\n",
          "sys/fs/cgroup/top/middle/own/cpu.max": "\(own)00000 100000\n",
          "sys/fs/cgroup/top/middle/other/cpu.max": "100000 100000\n",
          "sys/fs/cgroup/top2/cpu.max": "100000 100000\n",
        ])
    }
  }

  @Test(
    "version 1",
    arguments: [
      ("-1", "100000", 0), ("50000", "100000", 1), ("765000", "100000", 7), ("40000", "10000", 4),
      ("0", "100000", 0), ("100000", "0", 0),
    ] as [(String, String, UInt32)])
  func version1(quota: String, period: String, processors: UInt32) throws {
    try expect(
      processors,
      [
        "proc/self/cgroup": "4:cpu,cpuacct:/docker/1f\n3:memory:/docker/1f\n",
        "proc/self/mountinfo": separate,
        "sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_quota_us": quota,
        "sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_period_us": period,
      ])
  }

  @Test("a container without a namespace sees its group at the mount, by a path that is not there")
  func containers() throws {
    let mount = "35 23 0:30 /docker/1f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
    for group in ["/docker/1f", "/docker/1f/job", "/", "/elsewhere", "/../../host"] {
      try expect(
        2,
        [
          "proc/self/cgroup": "4:cpu:\(group)\n", "proc/self/mountinfo": disk + mount,
          "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n",
          "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        ])
    }
  }

  @Test("both versions side by side")
  func hybrid() throws {
    let mounts = separate + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    for (first, second) in [(2, 6), (6, 2)] {
      try expect(
        2,
        [
          "proc/self/cgroup": "4:cpuacct,cpu:/a\n1:name=systemd:/a\n0::/b\n",
          "proc/self/mountinfo": mounts,
          "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "\(first)00000\n",
          "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
          "sys/fs/cgroup/unified/b/cpu.max": "\(second)00000 100000\n",
        ])
    }
  }

  @Test("a controller is its whole name, a mount may have a space, and long lines pass")
  func spelling() throws {
    let folders = String(repeating: "a", count: 9000)
    let long = "30 1 0:9 / /x rw - overlay overlay rw,lowerdir=" + folders
    try expect(
      4,
      [
        "proc/self/cgroup": "3:cpuset:/set\n2:cpuacct:/acct\n4:cpu:/own\n",
        "proc/self/mountinfo": long + "\n"
          + "33 31 0:30 / /sys/fs/set rw - cgroup cgroup rw,cpuset\n"
          + "34 31 0:31 / /sys/c\\040g/cpu rw - cgroup cgroup rw,cpu\n",
        "sys/fs/set/own/cpu.cfs_quota_us": "100000\n",
        "sys/c g/cpu/own/cpu.cfs_quota_us": "400000\n",
        "sys/c g/cpu/own/cpu.cfs_period_us": "100000",
      ])
  }

  @Test("the usual places, where no mount is listed")
  func usual() throws {
    try expect(3, ["sys/fs/cgroup/cpu.max": "350000 100000\n"])
    try expect(1, ["sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n"])
  }

  @Test("what is missing or makes no sense is no limit")
  func garbage() throws {
    try expect(0, [:])
    let texts = [
      "", "\n", " ", "max", "-1 -1", "0 0", "0 100000", "100000 0", "abc", "\u{0}", "1e5 1e5",
      "99999999999999999999999999 1", "::::", "/ / / / - - -", "0::", "4:cpu", "4:cpu:",
      String(repeating: "9", count: 100_000), String(repeating: "a b ", count: 10_000),
    ]
    for text in texts {
      try expect(
        0,
        ["proc/self/cgroup": text, "proc/self/mountinfo": text, "sys/fs/cgroup/cpu.max": "max"])
      try expect(
        0,
        [
          "proc/self/cgroup": "4:cpu:/a\n0::/" + String(repeating: "a/", count: 3000) + "\n",
          "proc/self/mountinfo": unified + text, "sys/fs/cgroup/cpu.max": "max " + text,
        ])
    }
  }
}

@Suite("control groups: memory")
struct MemoryLimitTests {
  private let meminfo = "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n"

  @Test("version 2: what the group uses counts, what its page cache holds does not")
  func version2() throws {
    let group = "sys/fs/cgroup/a/"
    try Machine.with([
      "proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": unified,
      "proc/meminfo": meminfo + "SwapTotal: 0 kB\nSwapFree: 0 kB\n",
      group + "memory.max": "\(3 * gigabyte)\n", group + "memory.current": "\(2 * gigabyte)\n",
      group + "memory.stat":
        "anon 1\nfile 9\ninactive_file \(gigabyte / 2)\nactive_file \(gigabyte / 4)\n"
        + "inactive_file_of_another 77777777777\nslab_reclaimable \(gigabyte / 4)\n",
      group + "b/memory.max": "max\n", group + "b/memory.current": "\(gigabyte)\n",
    ]) { machine in
      let memory = machine.memory
      #expect(memory.allowed == 2 * gigabyte)
      #expect(memory.limit == 3 * gigabyte)
      #expect(memory.kind == UInt32(PLATFORM_LIMIT_GROUP))
      #expect(memory.available == 2 * gigabyte)
      // memory.high slows down and kills nobody.
      try machine.write("\(gigabyte)\n", to: group + "memory.high")
      #expect(machine.memory.allowed == 2 * gigabyte)
      #expect(machine.memory.available == 0)
    }
  }

  @Test("swap counts as far as the group and the machine have it")
  func swap() throws {
    let group = "sys/fs/cgroup/"
    try Machine.with([
      "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": unified,
      "proc/meminfo": meminfo + "SwapTotal: 4194304 kB\nSwapFree: 2097152 kB\n",
      group + "memory.max": "\(gigabyte)\n", group + "memory.current": "0\n",
    ]) { machine in
      #expect(machine.memory.allowed == 3 * gigabyte)
      try machine.write("\(gigabyte)\n", to: group + "memory.swap.max")
      try machine.write("\(gigabyte / 4)\n", to: group + "memory.swap.current")
      #expect(machine.memory.allowed == gigabyte + gigabyte / 4 * 3)
      try machine.write("0\n", to: group + "memory.swap.max")
      #expect(machine.memory.allowed == gigabyte)
      #expect(machine.memory.limit == gigabyte)
    }
  }

  @Test("version 1, where an ancestor may not count its children")
  func version1() throws {
    let top = "sys/fs/cgroup/memory/top/"
    try Machine.with([
      "proc/self/cgroup": "4:memory:/top/own\n", "proc/self/mountinfo": separate,
      "proc/meminfo": meminfo,
      top + "memory.limit_in_bytes": "\(gigabyte)\n",
      top + "memory.usage_in_bytes": "\(gigabyte / 2)\n",
      top + "memory.stat":
        "inactive_file 5\ntotal_inactive_file \(gigabyte / 8)\ntotal_active_file \(gigabyte / 8)\n",
      top + "own/memory.limit_in_bytes": "9223372036854771712\n",
    ]) { machine in
      #expect(machine.memory.allowed == gigabyte / 4 * 3)
      try machine.write("0\n", to: top + "memory.use_hierarchy")
      #expect(machine.memory.allowed == 8 * gigabyte)
      #expect(machine.memory.kind == UInt32(PLATFORM_LIMIT_MACHINE))
      // A group's own limit counts whatever its switch says.
      try machine.write("\(gigabyte / 4)\n", to: top + "own/memory.limit_in_bytes")
      try machine.write("0\n", to: top + "own/memory.use_hierarchy")
      #expect(machine.memory.allowed == gigabyte / 4)
    }
  }

  @Test("a machine without a group: all memory and swap; what is available refuses nothing")
  func machine() throws {
    try Machine.with([
      "proc/meminfo": meminfo + "SwapTotal: 1048576 kB\nSwapFree: 5 kB\n"
    ]) { machine in
      #expect(machine.memory.allowed == 9 * gigabyte)
      #expect(machine.memory.available == 4 * gigabyte)
      #expect(machine.memory.kind == UInt32(PLATFORM_LIMIT_MACHINE))
    }
  }

  @Test("what is missing or makes no sense is no limit")
  func garbage() throws {
    for text in ["", "max", "-1", "abc", "MemTotal: many\n", "\u{0}\n", "MemTotal 1"] {
      try Machine.with([
        "proc/meminfo": "MemTotal:\n" + text, "proc/self/cgroup": "0::/\n4:memory:/\n",
        "proc/self/mountinfo": separate + unified, "sys/fs/cgroup/memory.max": text,
        "sys/fs/cgroup/memory/memory.limit_in_bytes": text,
      ]) { machine in
        let memory = machine.memory
        #expect(memory.allowed == .max || text == "MemTotal 1", "\(text)")
        #expect(memory.kind == UInt32(PLATFORM_LIMIT_NONE) || text == "MemTotal 1", "\(text)")
      }
    }
    try Machine.with([:]) { machine in
      let limits = MemoryLimits(root: machine.root)
      #expect(limits.allowed == .max && limits.available == .max)
      try limits.check(memory: 1 << 62, addresses: 0, "nothing needs")
    }
  }

  @Test("the limit of addresses, less those in use")
  func addresses() throws {
    let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))
    let header = "Limit                     Soft Limit           Hard Limit           Units     \n"
    try Machine.with([
      "proc/self/limits":
        header + "Max address space         1000000              unlimited            bytes     \n",
      "proc/self/statm": "100 9 9 9 0 9 0\n",
    ]) { machine in
      let limits = MemoryLimits(root: machine.root)
      #expect(limits.addresses == 1_000_000 - 100 * page)
      try limits.check(memory: 0, addresses: limits.addresses, "it needs")
      #expect(
        throws: EngineError(
          .outOfMemory,
          "it needs 1000001 bytes of addresses; allowed are \(limits.addresses), which RLIMIT_AS of "
            + "1000000 leaves")
      ) { try limits.check(memory: 0, addresses: 1_000_001, "it needs") }
    }
    try Machine.with([
      "proc/self/limits":
        header + "Max address space         unlimited            unlimited            bytes     \n",
      "proc/self/statm": "100 9 9 9 0 9 0\n",
    ]) { #expect(MemoryLimits(root: $0.root).addresses == .max) }
  }

  @Test("the sentence has both numbers and whose limit it is")
  func sentence() throws {
    try Machine.with([
      "sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "300\n",
    ]) { machine in
      let limits = MemoryLimits(root: machine.root)
      try limits.check(memory: 700, addresses: 0, "it needs")
      #expect(
        throws: EngineError(
          .outOfMemory,
          "it needs 701 bytes of memory; allowed are 700, which the control group's limit of 1000 "
            + "leaves; less helps")
      ) { try limits.check(memory: 701, addresses: 0, "it needs", hint: "; less helps") }
    }
    try Machine.with(["proc/meminfo": meminfo]) { machine in
      #expect(
        throws: EngineError(
          .outOfMemory,
          "it needs \(8 * gigabyte + 1) bytes of memory; allowed are \(8 * gigabyte), which is all "
            + "that the machine has")
      ) {
        try MemoryLimits(root: machine.root)
          .check(memory: 8 * gigabyte + 1, addresses: 0, "it needs")
      }
    }
  }
}
