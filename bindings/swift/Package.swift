// swift-tools-version:6.0
import PackageDescription

#if os(Linux)
    // The header alone: `make packages` puts the library into this package's `lib`. In the repository it is where cargo built it, and the
    // command line says where that is.
    let library = "\(Context.packageDirectory)/lib"
    let core: Target = .target(
        name: "whimbrelFFI",
        linkerSettings: [
            .linkedLibrary("whimbrel"),
            .unsafeFlags(["-L\(library)", "-Xlinker", "-rpath", "-Xlinker", library]),
        ]
    )
#else
    let core: Target = .binaryTarget(name: "whimbrelFFI", path: "whimbrelFFI.xcframework")
#endif

let package = Package(
    name: "Whimbrel",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "Whimbrel", targets: ["Whimbrel"])],
    targets: [
        core,
        // What UniFFI generates, as it comes: it is not made for Swift 6's checks.
        .target(name: "WhimbrelCore", dependencies: ["whimbrelFFI"], swiftSettings: [.swiftLanguageMode(.v5)]),
        // The package that apps use.
        .target(name: "Whimbrel", dependencies: ["WhimbrelCore"]),
        .testTarget(name: "WhimbrelTests", dependencies: ["Whimbrel"]),
    ]
)
