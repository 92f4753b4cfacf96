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
            let before = conversation.messages()
            let question = String(repeating: "word ", count: 200)
            do {
                _ = try await conversation.ask(question).all()
                Issue.record("no error")
            } catch WhimbrelError.contextFull(let needed, let limit) {
                #expect(limit == 64)
                #expect(needed > limit)
            }
            #expect(conversation.messages() == before)
        }
    }

    @Test func optionsOutOfRange() async throws {
        try await withConversation { client, conversation in
            let model = try await client.openModel(at: Models.tiny)
            await expectError("invalid_option") {
                _ = try model.conversation(ConversationOptions(contextLength: 0))
            }
            await expectError("invalid_option") {
                _ = try model.conversation(ConversationOptions(contextLength: -1))
            }
            await expectError("invalid_option") {
                let cold = AskOptions(generation: GenerationOptions(temperature: -1))
                _ = try await conversation.ask("a", options: cold).all()
            }
            await expectError("invalid_option") {
                let late = AskOptions(deadline: .seconds(-1))
                _ = try await conversation.ask("a", options: late).all()
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
            let conversation = try model.conversation(testContext)
            for _ in 0..<2 { conversation.close() }
            await expectError("closed") { try conversation.reset() }
            await expectError("closed") { _ = try await conversation.ask("a").all() }
            for _ in 0..<2 { model.close() }
            await expectError("closed") { _ = try await model.conversation().ask("a").all() }
            for _ in 0..<2 { client.close() }
            for _ in 0..<2 { await client.shutdown() }
            await expectError("closed") { _ = try await client.openModel(at: Models.tiny) }
            #expect(client.activeAnswers == 0)
        }
    }

    @Test func closingEndsAnAnswerInTheMaking() async throws {
        try await withConversation { client, conversation in
            var events: [Event] = []
            for try await event in conversation.ask("a", options: longAnswer) {
                events.append(event)
                if event.isText { client.close() }
            }
            let report = try #require(events.report)
            #expect(report.outcome != .answered)
            #expect(events.count { $0.isText } < longAnswer.generation.maxTokens)
        }
    }

    /// The forms of `catch` that docs/bindings.md shows: the compiler takes them, and each catches its error.
    @Test func everyDocumentedFormOfCatch() async throws {
        try await withClient { client in
            #expect(await caught(client, "/no/such/folder", "Hello") == "fetch the model again")
            let long = String(repeating: "word ", count: 200)
            #expect(await caught(client, Models.tiny, long)?.hasSuffix("of 64 tokens") == true)
            #expect(await caught(client, Models.tiny, String(repeating: "a", count: 1 << 21)) == "limit_exceeded")
            #expect(await caught(client, Models.tiny, "Hello") == nil)
            client.close()
            #expect(await caught(client, Models.tiny, "Hello") == "closed already")
        }
    }

    private func caught(_ client: WhimbrelClient, _ folder: String, _ question: String) async -> String? {
        do {
            let model = try await client.openModel(at: folder)
            let conversation = try model.conversation(ConversationOptions(contextLength: 64))
            for try await piece in conversation.ask(question, options: atMost(2)).text() { #expect(!piece.isEmpty) }
            return nil
        } catch WhimbrelError.bundleMissing, WhimbrelError.bundleCorrupt {
            return "fetch the model again"
        } catch WhimbrelError.contextFull(let needed, let limit) {
            return "\(needed) of \(limit) tokens"
        } catch let error as WhimbrelError where error.code == "closed" {
            return "\(error.code) already"
        } catch let error as WhimbrelError {
            return error.code
        } catch {
            return "\(error)"
        }
    }

    /// The same on calls that do not wait, and on one call each.
    @Test func formsOfCatchOnSingleCalls() async throws {
        try await withConversation { client, conversation in
            do { _ = try await client.openModel(at: "/no/such/folder") } catch WhimbrelError.bundleMissing(let reason) {
                #expect(!reason.isEmpty)
            }
            do { try await conversation.restore(from: "/no/such/file") } catch let error as WhimbrelError {
                #expect(error.code == "invalid_option")
            }
            conversation.close()
            do { try conversation.reset() } catch WhimbrelError.closed(what: "conversation") {}
            do { try conversation.reset() } catch {
                #expect(error as? WhimbrelError == .closed(what: "conversation"))
            }
            let store = "/no/such/folder/ledger"
            let options = AssistantOptions(store: store, vault: MemoryKeyVault(), appPolicy: systemFirst)
            do { _ = try await Assistant(options) } catch WhimbrelError.ledger(let problem, _) {
                #expect(problem == "file")
            }
        }
    }
}
