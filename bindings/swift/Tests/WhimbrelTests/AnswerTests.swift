import Foundation
import Testing
import Whimbrel

@Suite struct AnswerTests {
    @Test func anAnswerStreamsProgressTextAndFigures() async throws {
        try await withConversation { _, conversation in
            let question = String(repeating: "Hello ", count: 50)
            let events = try await conversation.ask(question, options: GenerationOptions(maxTokens: 20)).all()
            guard case .prefilled = events.first else { throw Failure.unexpected }
            let statistics = try #require(events.statistics)
            #expect(statistics.completionTokens == 20)
            #expect(statistics.finishReason == .length)
            #expect(events.count { $0.isText } > 1)
            let expected = [Message(role: .user, content: question), Message(role: .assistant, content: events.text)]
            #expect(try await conversation.messages().suffix(2) == expected)
        }
    }

    @Test func aSavedConversationGoesOn() async throws {
        try await withConversation { client, conversation in
            let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
            defer { try? FileManager.default.removeItem(at: file) }
            let short = GenerationOptions(maxTokens: 20)
            _ = try await conversation.ask("Hello", options: short).all()
            try await conversation.save(to: file.path)
            let expected = try await conversation.ask("And then?", options: short).all().text
            let other = try await client.openModel(at: Models.tiny).conversation(testContext)
            try await other.restore(from: file.path)
            let events = try await other.ask("And then?", options: short).all()
            #expect(events.text == expected)
            #expect(try #require(events.statistics).reusedTokens > 20)
            let messages = try await conversation.messages()
            #expect(try await other.messages() == messages)
            try Data("nonsense".utf8).write(to: file)
            await expectError("invalid_option") { try await other.restore(from: file.path) }
            #expect(try await other.messages() == messages)
        }
    }

    @Test func guessingChangesNoAnswer() async throws {
        try await withConversation { _, conversation in
            var options = GenerationOptions(maxTokens: 200)
            let guessed = try await conversation.ask("Hello", options: options).all().text
            try await conversation.reset()
            options.speculation = false
            #expect(try await conversation.ask("Hello", options: options).all().text == guessed)
        }
    }

    @Test func cancellingTheTaskStopsTheCore() async throws {
        try await withConversation { client, conversation in
            let (begun, hasBegun) = AsyncStream<Void>.makeStream()
            let reader = Task {
                for try await event in conversation.ask("Hello", options: longAnswer) where event.isText {
                    hasBegun.yield()
                }
            }
            for await _ in begun { break }
            reader.cancel()
            try await reader.value
            // Waits for the cancelled answer to end.
            let cut = try #require(try await conversation.messages().last).content
            #expect(client.activeAnswers == 0)
            try await conversation.reset()
            let whole = try await conversation.ask("Hello", options: longAnswer).all().text
            #expect(whole.hasPrefix(cut) && cut.count < whole.count)
        }
    }

    @Test func leavingTheStreamEarlyStopsTheCore() async throws {
        try await withConversation { client, conversation in
            for try await event in conversation.ask("Hello", options: longAnswer) where event.isText { break }
            #expect(try await conversation.messages().last?.role == .assistant)
            #expect(client.activeAnswers == 0)
        }
    }

    @Test func aSlowReaderLosesNothing() async throws {
        try await withConversation { client, conversation in
            var slow: [AnswerEvent] = []
            for try await event in conversation.ask("Hello", options: longAnswer) {
                for _ in 0..<20 { await Task.yield() }
                slow.append(event)
            }
            #expect(slow.statistics?.completionTokens == longAnswer.maxTokens)
            try await conversation.reset()
            #expect(try await conversation.ask("Hello", options: longAnswer).all().text == slow.text)
            #expect(client.activeAnswers == 0)
        }
    }

    @Test func twoConversationsTakeTurns() async throws {
        try await withClient { client in
            let model = try await client.openModel(at: Models.tiny)
            var readers = [AsyncThrowingStream<AnswerEvent, any Error>.Iterator]()
            for _ in 0..<2 {
                readers.append(
                    try await model.conversation(testContext).ask("Hello", options: longAnswer).makeAsyncIterator()
                )
            }
            // Neither is read further before the other has something: with one after the other, the second never would.
            for index in readers.indices {
                var event = try await readers[index].next()
                while event?.isText == false { event = try await readers[index].next() }
                #expect(event?.isText == true)
            }
            #expect(client.activeAnswers == 2)
            for index in readers.indices {
                var last: AnswerEvent?
                while let event = try await readers[index].next() { last = event }
                #expect(last.map { [$0].statistics?.finishReason } == .length)
            }
        }
    }

    @Test func aRawCompletionGoesOnFromAText() async throws {
        try await withClient { client in
            let model = try await client.openModel(at: Models.tiny)
            let options = GenerationOptions(maxTokens: 8)
            let events = try await model.complete("Once upon a time", options: options, contextLength: 512).all()
            #expect(events.statistics?.completionTokens == 8)
        }
    }

    @Test func anEarlierConversationGoesOn() async throws {
        try await withConversation { _, conversation in
            let earlier = [
                Message(role: .system, content: "Be brief."), Message(role: .user, content: "a"),
                Message(role: .assistant, content: "b"),
            ]
            try await conversation.setMessages(earlier)
            #expect(try await conversation.messages() == earlier)
            _ = try await conversation.ask("c", options: GenerationOptions(maxTokens: 2)).all()
            #expect(try await conversation.messages().count == 5)
        }
    }

    enum Failure: Error { case unexpected }
}
