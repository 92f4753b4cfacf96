import Foundation
import Testing
import Whimbrel

/// Messages that came in on the core's threads.
final class Messages: @unchecked Sendable {
    private let lock = NSLock()
    private var lines: [String] = []

    func append(_ line: String) { lock.withLock { lines.append(line) } }
    var text: String { lock.withLock { lines.joined(separator: "\n") } }
}

@Suite struct LogTests {
    @Test func atTheHighestLevelNothingThatWasSaidIsLogged() async throws {
        let messages = Messages()
        WhimbrelLog.setSink { level, module, message in messages.append("\(level) \(module) \(message)") }
        WhimbrelLog.setLevel(.trace)
        defer {
            WhimbrelLog.setLevel(.warn)
            WhimbrelLog.setSink(nil)
        }
        let options = ConversationOptions(contextLength: 128, system: "SECRET-system")
        try await withConversation(options) { _, conversation in
            let events = try await conversation.ask("SECRET-question", options: atMost(40)).all()
            let tooLong = String(repeating: "SECRET-question ", count: 100)
            await expectError("context_full") { _ = try await conversation.ask(tooLong).all() }
            let log = messages.text
            #expect(log.contains("opened a model") && log.contains("answered"))
            #expect(!log.contains("SECRET"))
            #expect(!log.contains(events.text))
        }
    }
}
