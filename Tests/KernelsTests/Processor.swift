// The processor's features, as the system lists them.
import Support

/// The feature words of /proc/cpuinfo.
func processorFlags() throws -> Set<Substring> {
  let text = String(decoding: try fileBytes("/proc/cpuinfo"), as: UTF8.self)
  let line = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
  return Set(line.split(separator: ":").last.map { $0.split(separator: " ") } ?? [])
}
