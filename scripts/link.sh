#!/usr/bin/env bash
# link.sh OBJECTS OUTPUT [GLIBC]: links the library from a folder of SwiftPM's objects of an Embedded build.
#
# For this system, or by the linker of the package ziglang for every system from a version of glibc on.
#
# SwiftPM links in an order of its own. Here rooms of plain instructions come first: where several rooms
# have the same function of the standard library, the linker takes the first, and an old processor must
# not get one with vector instructions (scripts/isa_gate.py looks at the result).
set -eu
objects=$1 output=$2 glibc=${3:-}
plain="Mixtral Conversion Model Forward Workers Quantization Sampling Text Formats Base Kernels KernelsReference"
vector="KernelsAVX2 KernelsAVXVNNI KernelsAVX512"
swift=$(dirname "$(realpath "$(command -v swiftc)")")
target=x86_64-unknown-linux-gnu

files=()
for room in $plain; do files+=("$objects/$room.build/$room.o"); done
for source in Sources/Platform/*.c; do files+=("$objects/Platform.build/$(basename "$source").o"); done
for room in $vector; do files+=("$objects/$room.build/$room.o"); done

# LLVM's helper functions, not GCC's: their conversions of halves leave the host's floating-point state alone.
linker=("$swift/clang" -target "$target" -fuse-ld=lld --rtlib=compiler-rt)
if test -n "$glibc"; then
  export ZIG_GLOBAL_CACHE_DIR=.build/zig ZIG_LOCAL_CACHE_DIR=.build/zig
  linker=(.venv/bin/python -m ziglang cc -target "x86_64-linux-gnu.$glibc")
fi

# Two calls are taken over (Sources/Platform/reserve.c).
"${linker[@]}" -shared -o "$output" "${files[@]}" \
  -Wl,--wrap=posix_memalign,--wrap=free \
  -Wl,--version-script=exports.map -Wl,-soname=libmixtral.so.1 \
  -Wl,--gc-sections -Wl,-z,defs -Wl,-z,now -Wl,-z,nodelete \
  "$swift/../lib/swift/embedded/$target/libswiftUnicodeDataTables.a" -lm
