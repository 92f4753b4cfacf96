import Foundation
import Testing
import Whimbrel

@Suite struct ImportTests {
    private let file = Models.variable("WHIMBREL_TINY_GGUF")

    private func withFolder(_ test: (WhimbrelClient, URL) async throws -> Void) async throws {
        let name = "whimbrel-\(UUID().uuidString)"
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withClient { client in try await test(client, folder) }
    }

    private func all(_ events: AsyncThrowingStream<ImportEvent, any Error>) async throws -> [ImportEvent] {
        var found: [ImportEvent] = []
        for try await event in events { found.append(event) }
        return found
    }

    private func bundles(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != "files" }
    }

    @Test func aFileIsImportedOnceAndAnswers() async throws {
        try await withFolder { client, folder in
            let events = try await all(client.importModel(file, into: folder.path))
            guard case .finished(let path)? = events.last else {
                Issue.record("no bundle")
                return
            }
            let model = try await client.openModel(at: path)
            let options = GenerationOptions(maxTokens: 4)
            var text = ""
            for try await piece in model.complete("Light is", options: options).text() { text += piece }
            #expect(!text.isEmpty)

            let again = try await all(client.importModel(file, into: folder.path))
            #expect(again.last == .finished(path: path))
            for event in again {
                if case .progress(let phase, _, _) = event { #expect(phase != .writing) }
            }
            #expect(try bundles(folder).count == 1)
        }
    }

    @Test func whatCannotBeImportedLeavesNothing() async throws {
        try await withFolder { client, folder in
            let foreign = folder.appendingPathComponent("foreign.gguf")
            try Data("not a model".utf8).write(to: foreign)
            let cache = folder.appendingPathComponent("cache")
            for (source, expected) in [(foreign.path, "invalid"), ("/no/such/file.gguf", "missing")] {
                do {
                    _ = try await all(client.importModel(source, into: cache.path))
                    Issue.record("no error")
                } catch WhimbrelError.import(let problem, _) {
                    #expect(problem == expected)
                }
                #expect(!FileManager.default.fileExists(atPath: cache.path))
            }
        }
    }

    @Test func leavingEarlyCancels() async throws {
        try await withFolder { client, folder in
            for try await _ in client.importModel(file, into: folder.path) { break }
            // The next import does not meet an unfinished one.
            let events = try await all(client.importModel(file, into: folder.path))
            guard case .finished? = events.last else {
                Issue.record("no bundle")
                return
            }
            #expect(try bundles(folder).count == 1)
        }
    }
}
