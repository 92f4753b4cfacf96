// swift-tools-version:6.0
import PackageDescription

#if os(Linux)
    // The header alone; cargo builds the library, and the command line says where it is.
    let core: Target = .target(name: "whimbrelFFI", linkerSettings: [.linkedLibrary("whimbrel")])
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
