// swift-tools-version: 6.2
// One target a room (see CONTRIBUTING.md). Compiler flags per instruction set live only here.
import PackageDescription

/// The trait of the library that ships: Embedded Swift, without Swift's runtime, each room compiled whole.
///
/// Without it the same sources have the runtime, which the tests of the rooms need. Functions lie in sections of
/// their own: several rooms compile the same ones, and the linker keeps those that are used, once.
let whenEmbedded: BuildSettingCondition = .when(traits: ["Embedded"])

#if arch(arm64)
let machine = "aarch64"
#else
let machine = "x86_64"
#endif
/// The architecture of the library: this machine's, or what the Makefile says with MIXTRAL_ARCH.
let architecture = Context.environment["MIXTRAL_ARCH"] ?? machine

/// Everything: warnings are errors.
let careful: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableExperimentalFeature("Embedded", whenEmbedded),
  .unsafeFlags(
    [
      "-wmo", "-Xfrontend", "-disable-stack-protector", "-num-threads", "0",
      "-Xfrontend", "-function-sections",
    ], whenEmbedded),
]

/// Where a failed check of the compiler goes: it ends the call, not the process (Sources/Platform/recovery.c).
let trap: [SwiftSetting] = [
  .unsafeFlags(["-Xfrontend", "-trap-function", "-Xfrontend", "platform_trap"])
]

/// Every room: dynamic checks of exclusive access are off.
///
/// Recovery from a failure leaves frames without ending their accesses, and the runtime's list of accesses
/// lies in those frames.
let room: [SwiftSetting] =
  careful + trap + [.unsafeFlags(["-enforce-exclusivity=unchecked"])]

/// Rooms in which a pointer is an exception that must be spelled `unsafe`.
let safe: [SwiftSetting] = [.strictMemorySafety()]

/// The arithmetic: loops over pointers whose bounds were fixed at load.
func kernels(_ flags: String...) -> [SwiftSetting] {
  careful + trap + [.unsafeFlags(["-Ounchecked"] + flags.flatMap { ["-Xcc", $0] })]
}

/// The forward pass: the same trust in the library that ships.
///
/// In the tests of the rooms it has every check of the compiler, so that each bound is tried.
let pass: [SwiftSetting] = room + [.unsafeFlags(["-Ounchecked"], whenEmbedded)]

let package = Package(
  name: "mixtral",
  products: [.library(name: "mixtral", type: .static, targets: ["Mixtral"])],
  traits: [
    .trait(name: "Embedded", description: "The library that ships, without Swift's runtime.")
  ],
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
    .target(
      name: "KernelsNEON", dependencies: ["Intrinsics", "Kernels"], swiftSettings: kernels()),
    .target(
      name: "KernelsDotProd", dependencies: ["Intrinsics", "Kernels"],
      swiftSettings: kernels("-march=armv8-a+dotprod")),
    .target(
      name: "KernelsI8MM", dependencies: ["Intrinsics", "Kernels"],
      swiftSettings: kernels("-march=armv8-a+dotprod+i8mm")),
    .target(name: "Base", dependencies: ["Platform"], swiftSettings: room + safe),
    .target(name: "Formats", dependencies: ["Base", "Platform"], swiftSettings: room + safe),
    .target(
      name: "Quantization", dependencies: ["Base", "Formats", "Kernels"],
      swiftSettings: room),
    .target(name: "Text", dependencies: ["Base", "Formats"], swiftSettings: room + safe),
    .target(
      name: "Sampling", dependencies: ["Base", "Kernels"],
      swiftSettings: room + safe),
    .target(
      name: "Workers", dependencies: ["Base", "Platform"], swiftSettings: room),
    .target(
      name: "Forward", dependencies: ["Base", "Kernels", "Workers"], swiftSettings: pass),
    .target(
      name: "Model",
      dependencies: ["Base", "Formats", "Forward", "Kernels", "Quantization", "Text", "Workers"],
      swiftSettings: room),
    .target(
      name: "Conversion", dependencies: ["Base", "Formats", "Model", "Quantization", "Workers"],
      swiftSettings: room),
    .target(
      name: "Mixtral",
      dependencies: [
        "Base", "CMixtral", "Conversion", "Formats", "Forward", "Kernels", "KernelsAVX2",
        "KernelsAVX512", "KernelsAVXVNNI", "KernelsDotProd", "KernelsI8MM", "KernelsNEON",
        "KernelsReference", "Model", "Platform", "Sampling", "Text",
      ],
      swiftSettings: room),

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

    .target(
      name: "KernelCheck", dependencies: ["Kernels", "Platform"],
      path: "Tests/Baseline/KernelCheck", swiftSettings: room),
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

/// The rooms of the other architecture, and programs that need them: not part of this build.
let foreign: Set<String> =
  architecture == "x86_64"
  ? ["KernelsNEON", "KernelsDotProd", "KernelsI8MM"]
  : [
    "KernelsAVX2", "KernelsAVXVNNI", "KernelsAVX512", "FloorsAVX2", "FloorsAVX512", "Floors",
    "floors", "kernel-bench",
  ]
package.targets.removeAll { foreign.contains($0.name) }
for target in package.targets {
  target.dependencies.removeAll {
    guard case .byNameItem(let name, _) = $0 else { return false }
    return foreign.contains(name)
  }
}
