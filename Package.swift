// swift-tools-version: 6.2
// One target a room (see CONTRIBUTING.md). Compiler flags per instruction set live only here.
import PackageDescription

/// Everything: warnings are errors.
let careful: [SwiftSetting] = [.treatAllWarnings(as: .error)]

/// What a check of the compiler that fails calls.
func trap(_ function: String, _ when: BuildSettingCondition? = nil) -> SwiftSetting {
  .unsafeFlags(["-Xfrontend", "-trap-function", "-Xfrontend", function], when)
}

/// Every room: dynamic checks of exclusive access are off.
///
/// Recovery from a failure (Sources/Platform/recovery.c) leaves frames without ending their accesses,
/// and the runtime's list of accesses lies in those frames.
let room: [SwiftSetting] = careful + [.unsafeFlags(["-enforce-exclusivity=unchecked"])]

/// A room that has such checks.
///
/// One that fails ends the call, not the process; Tests/Traps counts them.
let strict: [SwiftSetting] = room + [trap("platform_trap")]

/// A room without any: what they would call is defined nowhere, so that the library does not link
/// when one comes back. (Unoptimised, every index has one.)
func checked(_ name: String) -> [SwiftSetting] {
  room + [
    trap("a_check_was_left_in_\(name)", .when(configuration: .release)),
    trap("platform_trap", .when(configuration: .debug)),
  ]
}

/// Rooms in which a pointer is an exception that must be spelled `unsafe`.
let safe: [SwiftSetting] = [.strictMemorySafety()]

/// The arithmetic: loops over pointers whose bounds were fixed at load.
func kernels(_ flags: String...) -> [SwiftSetting] {
  careful + [.unsafeFlags(["-Ounchecked"] + flags.flatMap { ["-Xcc", $0] })]
}

/// The forward pass: the same trust in release, and in a debug build every check of the compiler, so
/// that its tests there try each bound (`make test-checked`).
let pass: [SwiftSetting] =
  room + [
    .unsafeFlags(["-Ounchecked"], .when(configuration: .release)),
    .unsafeFlags(["-O"], .when(configuration: .debug)),
  ]

/// What Swift's runtime asks of the system goes through Sources/Platform/reserve.c, and what it does
/// when it gives up through recovery.c.
let wrapped = [
  "malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "malloc_usable_size",
  "strdup", "_Znwm", "_ZnwmSt11align_val_t", "__cxa_allocate_exception", "sigaction", "sigaltstack",
  "abort", "_ZN5swift28swift_abortAllocationFailureEmm",
  "_ZN5swift25swift_abortRetainOverflowEv", "_ZN5swift10fatalErrorEjPKcz",
  "_swift_stdlib_reportFatalErrorInFile", "_swift_stdlib_reportFatalError",
  "_ZN5swift7warningEjPKcz",
].flatMap { ["-Xlinker", "--wrap=\($0)"] }

let package = Package(
  name: "mixtral",
  products: [.library(name: "mixtral", type: .dynamic, targets: ["Mixtral"])],
  targets: [
    .systemLibrary(name: "CMixtral", path: "include"),
    .target(name: "Platform"),
    .target(name: "Intrinsics"),
    .target(name: "Kernels", swiftSettings: kernels()),
    .target(name: "KernelsReference", dependencies: ["Kernels"], swiftSettings: kernels()),
    .target(
      name: "KernelsAVX2", dependencies: ["Intrinsics", "Kernels"],
      swiftSettings: kernels("-march=x86-64-v3")),
    .target(
      name: "KernelsAVXVNNI", dependencies: ["Intrinsics", "Kernels"],
      swiftSettings: kernels("-march=x86-64-v3", "-mavxvnni")),
    .target(
      name: "KernelsAVX512", dependencies: ["Intrinsics", "Kernels"],
      swiftSettings: kernels("-march=x86-64-v4", "-mavx512vnni")),
    .target(name: "Base", dependencies: ["Platform"], swiftSettings: strict + safe),
    .target(name: "Formats", dependencies: ["Base", "Platform"], swiftSettings: strict + safe),
    .target(
      name: "Quantization", dependencies: ["Base", "Formats", "Kernels"],
      swiftSettings: checked("Quantization")),
    .target(name: "Text", dependencies: ["Base", "Formats"], swiftSettings: strict + safe),
    .target(
      name: "Sampling", dependencies: ["Base", "Kernels"],
      swiftSettings: checked("Sampling") + safe),
    .target(
      name: "Workers", dependencies: ["Base", "Platform"], swiftSettings: checked("Workers")),
    .target(
      name: "Forward", dependencies: ["Base", "Kernels", "Workers"], swiftSettings: pass),
    .target(
      name: "Model",
      dependencies: ["Base", "Formats", "Forward", "Kernels", "Quantization", "Text", "Workers"],
      swiftSettings: strict),
    .target(
      name: "Conversion", dependencies: ["Base", "Formats", "Model", "Quantization", "Workers"],
      swiftSettings: checked("Conversion")),
    .target(
      name: "Mixtral",
      dependencies: [
        "Base", "CMixtral", "Conversion", "Formats", "Kernels", "KernelsAVX2", "KernelsAVX512",
        "KernelsAVXVNNI", "KernelsReference", "Model", "Platform", "Sampling", "Text",
      ],
      swiftSettings: checked("Mixtral"),
      linkerSettings: [
        .unsafeFlags(
          [
            "-static-stdlib", "-use-ld=lld", "-L", "packaging/link",
            "-Xlinker", "--version-script=exports.map", "-Xlinker", "-soname=libmixtral.so.1",
            "-Xlinker", "--gc-sections", "-Xlinker", "-z", "-Xlinker", "defs",
            "-Xlinker", "-z", "-Xlinker", "now", "-Xlinker", "-z", "-Xlinker", "nodelete",
          ] + wrapped)
      ]),

    .target(
      name: "FloorsAVX2", dependencies: ["Intrinsics"], path: "Tests/Benchmarks/Floors/AVX2",
      swiftSettings: kernels("-march=x86-64-v3")),
    .target(
      name: "FloorsAVX512", dependencies: ["Intrinsics"], path: "Tests/Benchmarks/Floors/AVX512",
      swiftSettings: kernels("-march=x86-64-v4", "-mavx512vnni")),
    .target(
      name: "Floors", dependencies: ["FloorsAVX2", "FloorsAVX512", "Platform"],
      path: "Tests/Benchmarks/Floors/Floors", swiftSettings: careful),
    .executableTarget(
      name: "floors", dependencies: ["Floors"], path: "Tests/Benchmarks/FloorProgram",
      swiftSettings: careful),
    .executableTarget(
      name: "kernel-bench",
      dependencies: [
        "Base", "Floors", "Formats", "Kernels", "KernelsAVX2", "KernelsAVXVNNI", "KernelsAVX512",
        "Platform", "Quantization",
      ], path: "Tests/Benchmarks/KernelBench", swiftSettings: careful),

    .target(name: "Support", dependencies: ["Base", "Formats", "Kernels"], path: "Tests/Support"),
    .testTarget(name: "BaseTests", dependencies: ["Base", "Platform", "Support"]),
    .testTarget(name: "FormatsTests", dependencies: ["Base", "Formats", "Support"]),
    .testTarget(
      name: "KernelsTests",
      dependencies: [
        "Base", "Kernels", "KernelsAVX2", "KernelsAVXVNNI", "KernelsAVX512", "KernelsReference",
        "Platform", "Quantization", "Support",
      ]),
    .testTarget(
      name: "QuantizationTests",
      dependencies: ["Base", "KernelsReference", "Quantization", "Support"]),
    .testTarget(name: "WorkersTests", dependencies: ["Base", "Workers", "Support"]),
    .testTarget(name: "TextTests", dependencies: ["Base", "Text", "Support"]),
    .testTarget(
      name: "SamplingTests",
      dependencies: [
        "Base", "Kernels", "KernelsAVX2", "KernelsAVXVNNI", "KernelsAVX512", "KernelsReference",
        "Platform", "Sampling", "Support",
      ]),
    .testTarget(
      name: "ForwardTests",
      dependencies: ["Base", "Forward", "Kernels", "KernelsReference", "Support", "Workers"]),
    .testTarget(
      name: "ModelTests",
      dependencies: [
        "Base", "Model", "KernelsAVX2", "KernelsAVXVNNI", "KernelsAVX512", "KernelsReference",
        "Platform", "Support",
      ]),
  ],
  swiftLanguageModes: [.v6]
)
