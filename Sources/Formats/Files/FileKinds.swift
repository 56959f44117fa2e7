// Files that people pass by mistake instead of a GGUF file, told apart by their first bytes, so
// that the sentence can say what the file is.

/// The kind of a file by first bytes that are not GGUF's; nil when they say nothing.
func knownKind(_ head: [UInt8]) -> String? {
  for (prefix, kind) in kindsByPrefix where begins(head, prefix) { return kind }
  // Bytes that are no text, and so no string literal.
  for (prefix, kind) in kindsByBytes where begins(head, prefix) { return kind }
  // A safetensors file is the length of its header in 8 bytes, then the header, a JSON object.
  if head.count > 8, head[8] == UInt8(ascii: "{"), head[6] == 0, head[7] == 0 {
    return "a safetensors file"
  }
  return nil
}

/// Whether a file's first bytes are those of a text.
func begins(_ head: [UInt8], _ text: String) -> Bool {
  let bytes = text.utf8.span
  guard bytes.count <= head.count else { return false }
  var index = 0
  while index < bytes.count, index < head.count {
    if head[index] != bytes[index] { return false }
    index &+= 1
  }
  return true
}

private func begins(_ head: [UInt8], _ bytes: [UInt8]) -> Bool {
  guard bytes.count <= head.count else { return false }
  for (byte, found) in zip(bytes, head) where byte != found { return false }
  return true
}

private let kindsByPrefix: [(String, String)] = [
  ("version https://git-lfs", "a Git LFS pointer, not the file it stands for"),
  ("GGML", "a GGML file of before GGUF"), ("lmgg", "a GGML file of before GGUF"),
  ("ggml", "a GGML file of before GGUF"), ("fmgg", "a GGML file (ggmf) of before GGUF"),
  ("ggmf", "a GGML file (ggmf) of before GGUF"), ("tjgg", "a GGML file (ggjt) of before GGUF"),
  ("ggjt", "a GGML file (ggjt) of before GGUF"), ("algg", "a GGML adapter (ggla)"),
  ("ggla", "a GGML adapter (ggla)"), ("PK\u{3}\u{4}", "a ZIP archive (a PyTorch checkpoint?)"),
  ("\u{7f}ELF", "an ELF program"), ("<!DOCTYPE", "an HTML page"), ("<!doctype", "an HTML page"),
  ("<html", "an HTML page"), ("<HTML", "an HTML page"), ("<?xml", "an XML text"),
  ("{", "a JSON text"), ("Entry not found", "the answer of a web server"),
  ("BZh", "a bzip2 archive"), ("7z", "a 7-Zip archive"), ("#!", "a script"),
]

private let kindsByBytes: [([UInt8], String)] = [
  ([0x80, 0x02], "a Python pickle (a PyTorch checkpoint?)"),
  ([0x80, 0x03], "a Python pickle"), ([0x80, 0x04], "a Python pickle"),
  ([0x80, 0x05], "a Python pickle"), ([0x1f, 0x8b], "a gzip archive"),
  ([0x28, 0xb5, 0x2f, 0xfd], "a Zstandard archive"), ([0xfd, 0x37, 0x7a, 0x58], "an xz archive"),
  ([0x89, 0x48, 0x44, 0x46], "an HDF5 file"),
]
