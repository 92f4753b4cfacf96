import Foundation
import Testing
import Whimbrel

/// The models that the tests run, as the script that starts them says.
enum Models {
    static let tiny = variable("WHIMBREL_TINY_BUNDLE")
    static let smollm2 = variable("WHIMBREL_SMOLLM2_BUNDLE")
    static let thinking = variable("WHIMBREL_THINKING_BUNDLE")

    static func variable(_ name: String) -> String {
        guard let value = ProcessInfo.processInfo.environment[name] else {
            preconditionFailure("\(name) is not set: run scripts/swift-test.sh")
        }
        return value
    }

    /// Calls `body` with a copy of the tiny bundle to be damaged.
    static func withCopyOfTiny(_ body: (URL) async throws -> Void) async throws {
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.copyItem(at: URL(fileURLWithPath: tiny), to: copy)
        defer { try? FileManager.default.removeItem(at: copy) }
        try await body(copy)
    }
}

let testContext = ConversationOptions(contextLength: 768)

/// An answer of so many tokens at most.
func atMost(_ tokens: Int, speculation: Bool = true) -> AskOptions {
    // The tiny model repeats itself.
    AskOptions(generation: GenerationOptions(maxTokens: tokens, speculation: speculation, repetitionGuard: false))
}

let shortAnswer = atMost(8)

func inForm(_ form: Form, maxTokens: Int = 64) -> AskOptions {
    AskOptions(generation: GenerationOptions(maxTokens: maxTokens, form: form))
}

/// More events than wait for a reader at once: such an answer cannot end before it is read.
let longAnswer = atMost(600, speculation: false)

/// Runs a test on a client of its own and sees to it that the client ends.
func withClient(_ body: (WhimbrelClient) async throws -> Void) async throws {
    let client = try WhimbrelClient()
    do { try await body(client) } catch {
        await client.shutdown()
        throw error
    }
    await client.shutdown()
}

func withConversation(
    _ options: ConversationOptions = testContext,
    _ body: (WhimbrelClient, Conversation) async throws -> Void
) async throws {
    try await withClient { client in
        try await body(client, try await client.openModel(at: Models.tiny).conversation(options))
    }
}

/// Waits until a cancelled answer has ended and what was said is part of the conversation.
func waitForEnd(_ client: WhimbrelClient, _ conversation: Conversation) async throws {
    for _ in 0..<1000 where client.activeAnswers > 0 || conversation.messages().last?.role != .assistant {
        try await Task.sleep(for: .milliseconds(10))
    }
}

extension AsyncThrowingStream where Failure == any Error {
    func all() async throws -> [Element] {
        var elements: [Element] = []
        for try await element in self { elements.append(element) }
        return elements
    }
}

extension [Event] {
    var text: String {
        compactMap { event in
            if case .text(let text) = event { text } else { nil }
        }.joined()
    }

    var thoughts: String {
        compactMap { event in
            if case .thinking(let text) = event { text } else { nil }
        }.joined()
    }

    var report: Report? {
        if case .finished(let report) = last { report } else { nil }
    }

    var statistics: Statistics? { report?.statistics }
}

extension Event {
    var isText: Bool { if case .text = self { true } else { false } }
}

extension Conversation {
    /// Who said what, without how it is to be treated.
    var said: [String] { messages().map { "\($0.role): \($0.content)" } }
}

/// Expects an error of a given case.
func expectError(_ code: String, _ call: () async throws -> Void) async {
    do {
        try await call()
        Issue.record("no error instead of \(code)")
    } catch let error as WhimbrelError {
        #expect(error.code == code)
    } catch {
        Issue.record("\(error) instead of \(code)")
    }
}
