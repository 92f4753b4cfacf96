import Foundation
import Testing
import Whimbrel

@Suite struct AnswerTests {
    @Test func anAnswerStreamsProgressTextAndFigures() async throws {
        try await withConversation { _, conversation in
            let question = String(repeating: "Hello ", count: 50)
            let events = try await conversation.ask(question, options: atMost(20)).all()
            guard case .started(.onDevice, nil) = events.first, case .reading = events[1] else {
                Issue.record("no progress")
                return
            }
            let report = try #require(events.report)
            #expect(report.outcome == .answered && report.finish == .length && report.receipt == nil)
            #expect(report.statistics?.completionTokens == 20)
            #expect(events.count { $0.isText } > 1)
            #expect(conversation.said == ["user: \(question)", "assistant: \(events.text)"])
        }
    }

    @Test func thoughtsAreEventsOfTheirOwnAndNoPartOfTheConversation() async throws {
        try await withClient { client in
            let model = try await client.openModel(at: Models.thinking)
            #expect(model.info.canThink)
            let conversation = try model.conversation(testContext)
            for thinking in [nil, true, false] as [Bool?] {
                let options = AskOptions(generation: GenerationOptions(thinking: thinking))
                let events = try await conversation.ask("Where does it go?", options: options).all()
                #expect(events.thoughts == (thinking == false ? "" : "Bird?"))
                #expect(events.text.trimmingCharacters(in: .whitespaces) == "south.")
                #expect(try #require(events.report).thinkingBytes == events.thoughts.utf8.count)
                #expect(conversation.said.last == "assistant: \(events.text)")
            }
            #expect(conversation.said.count == 6)
            #expect(!conversation.said.contains { $0.contains("Bird") || $0.contains("think") })
        }
    }

    @Test func aModelThatCannotThinkRefusesToBeToldTo() async throws {
        try await withConversation { client, conversation in
            let model = try await client.openModel(at: Models.tiny)
            #expect(!model.info.canThink)
            let on = AskOptions(generation: GenerationOptions(thinking: true))
            await expectError("invalid_option") { _ = try await conversation.ask("Hello", options: on).all() }
            let off = AskOptions(generation: GenerationOptions(maxTokens: 8, thinking: false))
            #expect(try await !conversation.ask("Hello", options: off).all().text.isEmpty)
        }
    }

    @Test func anAnswerHasItsForm() async throws {
        try await withConversation { _, conversation in
            let ageSchema = #"""
                {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 120}},
                 "required": ["age"], "additionalProperties": false}
                """#
            func answer(_ form: Form) async throws -> [Event] {
                try await conversation.ask("Hello", options: inForm(form)).all()
            }
            #expect(["yes", "no"].contains(try await answer(.choice(choices: ["yes", "no"])).text))
            let json = try await answer(.jsonSchema(schema: ageSchema))
            #expect(json.text.wholeMatch(of: /\{"age": \d{1,3}\}/) != nil, "\(json.text)")
            #expect(try #require(json.statistics).forcedTokens > 0)
            #expect(try await answer(.regex(expression: "[0-9]{4}")).text.wholeMatch(of: /[0-9]{4}/) != nil)
            let grammar = Form.grammar(text: #"start: "turn " ("on" | "off")"#)
            #expect(["turn on", "turn off"].contains(try await answer(grammar).text))
        }
    }

    @Test func anAnswerWithoutItsFormIsAFailureAndAFormThatCannotBeHeldIsRefused() async throws {
        try await withConversation { _, conversation in
            let long = inForm(.regex(expression: "[a-z]{200}"), maxTokens: 3)
            let cut = try #require(try await conversation.ask("Hello", options: long).all().report)
            #expect(cut.outcome == .failed && cut.code == "not_in_form")
            let unsupported = inForm(.jsonSchema(schema: #"{"not": {"type": "null"}}"#))
            await expectError("invalid_option") { _ = try await conversation.ask("Hello", options: unsupported).all() }
        }
    }

    @Test func aReadyTaskAnswersInItsForm() async throws {
        let mood = #"""
            {"version": 1, "name": "mood", "description": "Says how somebody feels.", "languages": ["en"],
             "system": "You say how people feel.", "prompt": "Text: {text}\nMood:",
             "examples": [{"text": "I won the race!", "answer": "happy"}], "form": {"choice": ["happy", "sad"]},
             "max_tokens": 4, "text_bytes_max": 100}
            """#
        try await withClient { client in
            let model = try await client.openModel(at: Models.tiny)
            #expect(["positive", "negative"].contains(try await model.task(Tasks.tone, "Nice!").all().text))
            let sort = try Tasks.category(["delivery", "billing"])
            #expect(["delivery", "billing"].contains(try await model.task(sort, "It is late.").all().text))
            #expect(Tasks.all.count == 8)
            #expect(Tasks.title.info.name == "title" && Tasks.title.info.needs == .nothing)

            let own = try TextTask.read(mood)
            #expect(own.info.name == "mood" && own.info.languages == ["en"])
            #expect(["happy", "sad"].contains(try await model.task(own, "I won!").all().text))
            await expectError("invalid_option") { _ = try TextTask.read("{}") }
            await expectError("invalid_option") { _ = try Tasks.tone.withForm(.choice(choices: ["a"])) }
            await expectError("invalid_option") { _ = try Tasks.category([]) }
            let long = String(repeating: "a", count: 101)
            await expectError("limit_exceeded") { _ = try await model.task(own, long).all() }
        }
    }

    @Test func aSavedConversationGoesOn() async throws {
        try await withConversation { client, conversation in
            let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
            defer { try? FileManager.default.removeItem(at: file) }
            let short = atMost(20)
            _ = try await conversation.ask("Hello", options: short).all()
            try await conversation.save(to: file.path)
            let expected = try await conversation.ask("And then?", options: short).all().text
            let other = try await client.openModel(at: Models.tiny).conversation(testContext)
            try await other.restore(from: file.path)
            let events = try await other.ask("And then?", options: short).all()
            #expect(events.text == expected)
            #expect(try #require(events.statistics).reusedTokens > 20)
            #expect(other.said == conversation.said)
            try Data("nonsense".utf8).write(to: file)
            await expectError("invalid_option") { try await other.restore(from: file.path) }
            #expect(other.said == conversation.said)
        }
    }

    @Test func guessingChangesNoAnswer() async throws {
        try await withConversation { _, conversation in
            let guessed = try await conversation.ask("Hello", options: atMost(200)).all().text
            try conversation.reset()
            let plain = atMost(200, speculation: false)
            #expect(try await conversation.ask("Hello", options: plain).all().text == guessed)
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
            try await waitForEnd(client, conversation)
            let cut = try #require(conversation.messages().last).content
            #expect(client.activeAnswers == 0)
            try conversation.reset()
            let whole = try await conversation.ask("Hello", options: longAnswer).all().text
            #expect(whole.hasPrefix(cut) && cut.count < whole.count)
        }
    }

    @Test func leavingTheStreamEarlyStopsTheCore() async throws {
        try await withConversation { client, conversation in
            for try await event in conversation.ask("Hello", options: longAnswer) where event.isText { break }
            try await waitForEnd(client, conversation)
            #expect(conversation.messages().last?.role == .assistant)
            #expect(client.activeAnswers == 0)
        }
    }

    @Test func aSlowReaderLosesNothing() async throws {
        try await withConversation { client, conversation in
            var slow: [Event] = []
            for try await event in conversation.ask("Hello", options: longAnswer) {
                for _ in 0..<20 { await Task.yield() }
                slow.append(event)
            }
            #expect(slow.statistics?.completionTokens == longAnswer.generation.maxTokens)
            try conversation.reset()
            #expect(try await conversation.ask("Hello", options: longAnswer).all().text == slow.text)
            #expect(client.activeAnswers == 0)
        }
    }

    @Test func twoConversationsTakeTurns() async throws {
        try await withClient { client in
            let model = try await client.openModel(at: Models.tiny)
            var readers = [AsyncThrowingStream<Event, any Error>.Iterator]()
            for _ in 0..<2 {
                let conversation = try model.conversation(testContext)
                readers.append(conversation.ask("Hello", options: longAnswer).makeAsyncIterator())
            }
            // Neither is read further before the other has something: with one after the other, the second never would.
            for index in readers.indices {
                var event = try await readers[index].next()
                while event?.isText == false { event = try await readers[index].next() }
                #expect(event?.isText == true)
            }
            #expect(client.activeAnswers == 2)
            for index in readers.indices {
                var last: Event?
                while let event = try await readers[index].next() { last = event }
                #expect(last.map { [$0].report?.finish } == .length)
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
            let revision = conversation.revision
            try conversation.setMessages([Message(role: .user, content: "a"), Message(role: .assistant, content: "b")])
            #expect(conversation.said == ["user: a", "assistant: b"])
            #expect(conversation.revision > revision)
            _ = try await conversation.ask("c", options: atMost(2)).all()
            let messages = conversation.messages()
            #expect(messages.count == 4)
            try conversation.setMessages(messages)
            #expect(conversation.messages() == messages)
        }
    }

    @Test func anotherSystemMessageLeavesTheMessages() async throws {
        try await withConversation { _, conversation in
            _ = try await conversation.ask("Hello", options: atMost(2)).all()
            let messages = conversation.messages()
            try conversation.setSystem("You are brief.")
            #expect(conversation.system == "You are brief." && conversation.messages() == messages)
            try conversation.setSystem("")
            #expect(conversation.system == nil)
            try conversation.setSystem(nil)
            // The model's own, which is not the app's.
            #expect(conversation.system == nil)
        }
    }

    @Test func aNewAnswerTakesThePlaceOfTheOldOne() async throws {
        try await withConversation { _, conversation in
            await expectError("nothing_to_repeat") { _ = try await conversation.regenerate().all() }
            _ = try await conversation.ask("Hello", options: atMost(20)).all()
            let events = try await conversation.regenerate(GenerationOptions(maxTokens: 5)).all()
            #expect(events.statistics?.completionTokens == 5)
            #expect(conversation.said == ["user: Hello", "assistant: \(events.text)"])
            await expectError("no_policy") { _ = try await conversation.explain("Hello") }
        }
    }

    @Test func aStoppedAnswerEndsWithItsFigures() async throws {
        try await withConversation { _, conversation in
            conversation.stop()
            var events: [Event] = []
            for try await event in conversation.ask("Hello", options: longAnswer) {
                events.append(event)
                if event.isText { conversation.stop() }
            }
            let report = try #require(events.report)
            #expect(report.outcome == .cancelled && report.finish == nil)
            let tokens = try #require(report.statistics).completionTokens
            #expect(tokens > 0 && tokens < longAnswer.generation.maxTokens)
            #expect(conversation.messages().last?.content == events.text)
        }
    }

    @Test func theTextSoFarGrowsToTheWholeText() async throws {
        try await withConversation { _, conversation in
            let pieces = try await conversation.ask("Hello", options: atMost(20)).text().all()
            #expect(pieces.count > 1 && conversation.messages().last?.content == pieces.joined())
            let texts = try await conversation.regenerate(GenerationOptions(maxTokens: 20)).textSoFar().all()
            #expect(zip(texts, texts.dropFirst()).allSatisfy { $1.hasPrefix($0) && $1 != $0 })
            #expect(texts.last == conversation.messages().last?.content)
        }
    }

    @Test func aBeginningThatWasReadIsTakenOver() async throws {
        try await withConversation { client, conversation in
            try await withFolder { folder in
                let file = folder.appendingPathComponent("prefix").path
                let question = String(repeating: "Hello ", count: 50)
                _ = try await conversation.ask(question, options: atMost(2)).all()
                try await conversation.savePrefix(to: file, tokens: 16)
                let other = try await client.openModel(at: Models.tiny).conversation(testContext)
                try await other.restorePrefix(from: file)
                #expect(other.messages().isEmpty)
                let events = try await other.ask(question, options: atMost(2)).all()
                #expect(try #require(events.statistics).reusedTokens >= 16)
            }
        }
    }

    @Test func aQuestionAfterACancelledAnswerIsNeverRefused() async throws {
        try await withConversation { client, conversation in
            for round in 0..<1000 {
                switch round % 3 {
                case 0: try await leave(conversation)
                case 1: try await cancel(conversation)
                default: try await stop(conversation)
                }
                // Keeps the history short, and the test quick.
                if round % 4 == 0 { try conversation.reset() }
            }
            let report = try await conversation.ask("Hello", options: atMost(2)).all().report
            #expect(report?.outcome == .answered)
            #expect(client.activeAnswers == 0)
        }
    }

    /// Lets go of a stream.
    private func leave(_ conversation: Conversation) async throws {
        for try await event in conversation.ask("Hello", options: longAnswer) where event.isText { break }
    }

    /// Cancels the task that reads.
    private func cancel(_ conversation: Conversation) async throws {
        let (begun, hasBegun) = AsyncStream<Void>.makeStream()
        let reader = Task {
            for try await _ in conversation.ask("Hello", options: longAnswer).textSoFar() { hasBegun.yield() }
        }
        for await _ in begun { break }
        reader.cancel()
        try await reader.value
    }

    /// Stops the answer, and keeps its stream.
    private func stop(_ conversation: Conversation) async throws {
        var events = conversation.ask("Hello", options: longAnswer).makeAsyncIterator()
        _ = try await events.next()
        conversation.stop()
        _ = try await conversation.ask("And then?", options: atMost(2)).all()
        while try await events.next() != nil {}
    }
}
