// swift-tools-version:6.0
// The smallest app with Whimbrel's Swift package: docs/bindings.md, "Swift on Linux".
import PackageDescription

let package = Package(
    name: "hello",
    dependencies: [.package(path: "Whimbrel")],
    targets: [
        .executableTarget(name: "hello", dependencies: ["Whimbrel"]),
        .executableTarget(name: "kept", dependencies: ["Whimbrel"]),
    ]
)
