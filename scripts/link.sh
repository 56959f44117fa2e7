#!/usr/bin/env bash
# link.sh ARCHITECTURE OBJECTS OUTPUT [LIBC [PROGRAM]]: links the library from a folder of SwiftPM's objects of an
# Embedded build, or a program whose room is no part of it.
#
# For this system, or by the linker of the package ziglang for LIBC: every system from a version of glibc on, or musl.
#
# SwiftPM links in an order of its own. Here rooms of plain instructions come first: where several rooms
# have the same function of the standard library, the linker takes the first, and an old processor must
# not get one with vector instructions (scripts/isa_gate.py looks at the result).
set -eu
architecture=$1 objects=$2 output=$3 libc=${4:-} program=${5:-}
plain="Mixtral Conversion Model Forward Workers Quantization Sampling Text Formats Base Kernels KernelsReference"
swift=$(dirname "$(realpath "$(command -v swiftc)")")
case $architecture in
  x86_64)
    tables="KernelsAVX2 KernelsAVXVNNI KernelsAVX512"
    target=x86_64-unknown-linux-gnu embedded=$target
    # LLVM's helper functions, not GCC's: their conversions of halves leave the host's floating-point state alone.
    helpers=(--rtlib=compiler-rt) ;;
  aarch64)
    tables="KernelsNEON KernelsDotProd KernelsI8MM"
    target=aarch64-linux-gnu embedded=aarch64-none-none-elf
    # The processor has instructions for all that they are for.
    helpers=(-nodefaultlibs -lc) ;;
  *) echo "link.sh: there is no library for $architecture" >&2; exit 2 ;;
esac

files=()
for room in $plain; do files+=("$objects/$room.build/$room.o"); done
for source in Sources/Platform/*.c; do files+=("$objects/Platform.build/$(basename "$source").o"); done
for room in $tables; do files+=("$objects/$room.build/$room.o"); done

linker=("$swift/clang" -target "$target" -fuse-ld=lld "${helpers[@]}")
if test -n "$libc"; then
  export ZIG_GLOBAL_CACHE_DIR=.build/zig ZIG_LOCAL_CACHE_DIR=.build/zig
  case $libc in
    musl) linker=(.venv/bin/python -m ziglang cc -target "$architecture-linux-musl" -dynamic -lc) ;;
    *) linker=(.venv/bin/python -m ziglang cc -target "$architecture-linux-gnu.$libc") ;;
  esac
fi

# Two calls are taken over (Sources/Platform/reserve.c).
common=(-Wl,--wrap=posix_memalign,--wrap=free -Wl,--gc-sections)
libraries=("$swift/../lib/swift/embedded/$embedded/libswiftUnicodeDataTables.a" -lm)
if test -n "$program"; then
  "${linker[@]}" -o "$output" "$objects/$program.build/$program.o" "${files[@]}" "${common[@]}" "${libraries[@]}"
else
  "${linker[@]}" -shared -o "$output" "${files[@]}" "${common[@]}" \
    -Wl,--version-script=exports.map -Wl,-soname=libmixtral.so.1 \
    -Wl,-z,defs -Wl,-z,now -Wl,-z,nodelete "${libraries[@]}"
fi
