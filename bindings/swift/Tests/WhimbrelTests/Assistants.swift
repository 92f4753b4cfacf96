import Foundation
import Testing
import Whimbrel

/// Runs a test on an assistant of its own whose model of this device is the tiny one.
func withAssistant(
    _ policy: PolicyDocument = .preset(preset: .private, endpoints: ""),
    _ body: (Assistant, Conversation) async throws -> Void
) async throws {
    try await withClient { client in
        try await withFolder { folder in
            let store = folder.appendingPathComponent("ledger").path
            let assistant = try await Assistant(
                AssistantOptions(store: store, vault: MemoryKeyVault(), appPolicy: policy)
            )
            assistant.setModel(try await client.openModel(at: Models.tiny))
            try await body(assistant, try assistant.conversation(testContext))
            await assistant.shutdown()
        }
    }
}

func withFolder(_ body: (URL) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder)
}

/// A policy that lists `otherwise` and has `more` behind it.
func policy(_ otherwise: String, _ more: String = "") -> PolicyDocument {
    .toml(text: "version = 1\nname = \"test\"\notherwise = [\(otherwise)]\n\(more)")
}

let systemFirst = policy("\"system_model\", \"on_device\"")

/// A system's model that does what a test wants.
struct FakeSystemModel: SystemModel {
    private let answers: @Sendable (SystemRequest) throws -> AsyncThrowingStream<String, any Error>

    init(_ answers: @escaping @Sendable (SystemRequest) throws -> AsyncThrowingStream<String, any Error>) {
        self.answers = answers
    }

    func capabilities() -> SystemCapabilities { SystemCapabilities(model: "fake", availability: .available) }

    func answer(_ request: SystemRequest) throws -> AsyncThrowingStream<String, any Error> { try answers(request) }
}

/// A vault that fails.
final class BrokenVault: KeyVault {
    func get(name: String) throws -> Data? { throw KeyVaultError.locked }
    func put(name: String, secret: Data) throws { throw KeyVaultError.locked }
    func delete(name: String) throws { throw KeyVaultError.locked }
    func level() -> VaultLevel { .memory }
}

extension [String] {
    /// These pieces, and perhaps an error.
    func stream(_ error: (any Error)? = nil) -> AsyncThrowingStream<String, any Error> {
        AsyncThrowingStream { continuation in
            for piece in self { continuation.yield(piece) }
            continuation.finish(throwing: error)
        }
    }
}
