import Foundation
import Testing
import Whimbrel

@Suite struct ErrorTests {
    @Test func aMissingBundle() async throws {
        try await withClient { client in
            await expectError("bundle_missing") { _ = try await client.openModel(at: "/no/such/folder") }
        }
    }

    @Test func weightsWithOneByteChanged() async throws {
        try await withClient { client in
            try await Models.withCopyOfTiny { copy in
                let files = FileManager.default.enumerator(at: copy, includingPropertiesForKeys: nil)
                let urls = files?.compactMap { $0 as? URL }
                let weights = try #require(urls?.first { $0.lastPathComponent == "weights.bin" })
                var bytes = try Data(contentsOf: weights)
                bytes[bytes.count / 2] ^= 1
                try bytes.write(to: weights)
                await expectError("bundle_corrupt") { _ = try await client.openModel(at: copy.path) }
            }
        }
    }

    @Test func aQuestionThatDoesNotFit() async throws {
        try await withConversation(ConversationOptions(contextLength: 64)) { _, conversation in
            let before = try await conversation.messages()
            let question = String(repeating: "word ", count: 200)
            do {
                _ = try await conversation.ask(question).all()
                Issue.record("no error")
            } catch WhimbrelError.contextFull(let needed, let limit) {
                #expect(limit == 64)
                #expect(needed > limit)
            }
            #expect(try await conversation.messages() == before)
        }
    }

    @Test func optionsOutOfRange() async throws {
        try await withConversation { client, conversation in
            let model = try await client.openModel(at: Models.tiny)
            await expectError("invalid_option") {
                _ = try await model.conversation(ConversationOptions(contextLength: 0))
            }
            await expectError("invalid_option") {
                _ = try await model.conversation(ConversationOptions(contextLength: -1))
            }
            await expectError("invalid_option") {
                _ = try await conversation.ask("a", options: GenerationOptions(temperature: -1)).all()
            }
        }
    }

    @Test func aSecondQuestionBeforeTheFirstIsAnswered() async throws {
        try await withConversation { _, conversation in
            for try await event in conversation.ask("a", options: longAnswer) where event.isText {
                await expectError("busy") { _ = try await conversation.ask("b").all() }
                break
            }
        }
    }

    @Test func aQuestionOverTheLimit() async throws {
        try await withConversation { _, conversation in
            let question = String(repeating: "a", count: 1 << 20) + "a"
            await expectError("limit_exceeded") { _ = try await conversation.ask(question).all() }
        }
    }

    @Test func closingTwiceAndUseAfterwards() async throws {
        try await withClient { client in
            let model = try await client.openModel(at: Models.tiny)
            let conversation = try await model.conversation(testContext)
            for _ in 0..<2 { conversation.close() }
            await expectError("closed") { _ = try await conversation.messages() }
            await expectError("closed") { _ = try await conversation.ask("a").all() }
            for _ in 0..<2 { model.close() }
            await expectError("closed") { _ = try await model.conversation() }
            for _ in 0..<2 { client.close() }
            for _ in 0..<2 { await client.shutdown() }
            await expectError("closed") { _ = try await client.openModel(at: Models.tiny) }
            #expect(client.activeAnswers == 0)
        }
    }

    @Test func closingEndsAnAnswerInTheMaking() async throws {
        try await withConversation { client, conversation in
            var events: [AnswerEvent] = []
            for try await event in conversation.ask("a", options: longAnswer) {
                events.append(event)
                if event.isText { client.close() }
            }
            #expect(events.statistics?.finishReason == .cancelled)
        }
    }
}
