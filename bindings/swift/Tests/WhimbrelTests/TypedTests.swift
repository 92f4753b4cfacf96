import Foundation
import Testing
import Whimbrel

/// Answers that become values, through the real core.
@Suite struct TypedTests {
    enum Product: String, CaseIterable, Respondable {
        case phone, other
    }

    struct Ticket: Respondable, Equatable {
        let product: Product
        let urgent: Bool
        let summary: String
        let tags: [String]
        let floor: Int?

        static let schema = Schema.object([
            "product": .of(Product.self),
            "urgent": .boolean,
            "summary": .string(maxLength: 60).described("what is wrong"),
            "tags": .array(of: .string(maxLength: 8), maxItems: 3),
            "floor": .integer(in: 0...999).optional(),
        ])
    }

    /// A type that asks for more than its schema says.
    struct Stubborn: Respondable {
        static let schema = Schema.object(["digit": .integer(in: 0...9)])

        enum Key: CodingKey { case digit }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            let digit = try values.decode(Int.self, forKey: .digit)
            let description = "the secret \(digit)"
            throw DecodingError.dataCorruptedError(forKey: .digit, in: values, debugDescription: description)
        }
    }

    struct Story: Respondable {
        let text: String

        static let schema = Schema.object(["text": .string(minLength: 5000, maxLength: 9000)])
    }

    private let question = "The screen of my phone is broken."

    @Test func snapshotsGrowToTheValue() async throws {
        try await withConversation { client, conversation in
            let slow = atMost(256, speculation: false)
            let stream = conversation.snapshots(to: question, as: Ticket.self, options: slow)
            let snapshots = try await stream.all()
            let last = try #require(snapshots.last)
            #expect(last.isComplete && snapshots.count > 2)
            #expect(snapshots.dropLast().allSatisfy { !$0.isComplete })
            #expect(try #require(snapshots.first).value == nil)
            let lengths = snapshots.dropLast().map(\.json.utf8.count)
            #expect(zip(lengths, lengths.dropFirst()).allSatisfy { $0 < $1 })
            let ticket = try JSONDecoder().decode(Ticket.self, from: Data(last.json.utf8))
            #expect(ticket == last.value && conversation.messages().last?.content == last.json)
            #expect(ticket.summary.count <= 60 && ticket.tags.count <= 3)

            // The same question gives the same value without looking on.
            let other = try await client.openModel(at: Models.tiny).conversation(testContext)
            let value: Ticket = try await other.respond(to: question, options: atMost(256))
            #expect(value == ticket)
        }
    }

    @Test func anAssistantAnswersInTypesToo() async throws {
        try await withAssistant { assistant, conversation in
            let product = try await conversation.respond(to: "Hello", as: Product.self, options: atMost(32))
            #expect(Product.allCases.contains(product))
            let number = try await conversation.respond(to: "Hello", as: Int.self, options: atMost(32))
            #expect((-Schema.integerMax...Schema.integerMax).contains(number))
            #expect(try await assistant.receipts().count == 2)
        }
    }

    @Test func cancellingTheTaskStopsTheCore() async throws {
        try await withConversation { client, conversation in
            let (begun, hasBegun) = AsyncStream<Void>.makeStream()
            let reader = Task {
                for try await _ in conversation.snapshots(to: "Hello", as: Story.self, options: longAnswer) {
                    hasBegun.yield()
                }
            }
            for await _ in begun { break }
            reader.cancel()
            try await reader.value
            try await waitForEnd(client, conversation)
            let cut = try #require(conversation.messages().last)
            #expect(cut.isInterrupted && cut.content.hasPrefix(#"{"text": ""#), "\(cut.content)")

            let waiting = Task { try await conversation.respond(to: "Hello", as: Story.self, options: longAnswer) }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { _ = try await waiting.value }
        }
    }

    @Test func whatIsNoWholeAnswerIsNoValue() async throws {
        try await withConversation { _, conversation in
            do {
                for try await _ in conversation.snapshots(to: "Hello", as: Story.self, options: longAnswer) {
                    conversation.stop()
                }
                Issue.record("no error")
            } catch WhimbrelError.noAnswer(let report) {
                #expect(report.outcome == .cancelled)
            }
            do {
                _ = try await conversation.respond(to: "Hello", as: Story.self, options: atMost(3))
                Issue.record("no error")
            } catch let error as WhimbrelError {
                #expect("\(error)" == "no_answer: failed, not_in_form")
            }
        }
    }

    @Test func aValueThatCannotBeDecodedIsAnErrorWithoutItsText() async throws {
        try await withConversation { _, conversation in
            do {
                _ = try await conversation.respond(to: "Hello", as: Stubborn.self, options: atMost(32))
                Issue.record("no error")
            } catch let error as WhimbrelError {
                #expect(error == .valueRefused(type: "Stubborn") && !"\(error)".contains("secret"))
            }
            #expect(conversation.messages().last?.content.hasPrefix(#"{"digit": "#) == true)
            await expectError("value_refused") {
                for try await snapshot in conversation.snapshots(to: "Hello", as: Stubborn.self, options: atMost(32)) {
                    #expect(snapshot.value == nil && !snapshot.isComplete)
                }
            }
        }
    }

    @Test func anotherPlaceBeginsAnew() async throws {
        try await withConversation { _, conversation in
            let end = try #require(try await conversation.ask("Hello", options: atMost(2)).all().last)
            let events: [Event] = [
                .text(text: "[1, 2"), .text(text: ", "), .restarted, .text(text: "[7,"), .text(text: " 8]"), end,
            ]
            let stream = {
                AsyncThrowingStream<Event, any Error> { continuation in
                    for event in events { continuation.yield(event) }
                    continuation.finish()
                }
            }
            let seen = try await stream().snapshots(of: [Int].self).all()
            #expect(seen.map(\.json) == ["[1]", "[1, 2]", "[7]", "[7, 8]", "[7, 8]"])
            #expect(seen.map(\.value) == [[1], [1, 2], [7], [7, 8], [7, 8]])
            #expect(seen.map(\.isComplete) == [false, false, false, false, true])
            #expect(try await stream().value(of: [Int].self) == [7, 8])
        }
    }

    @Test func optionsWithAFormAreRefused() async throws {
        try await withConversation { _, conversation in
            let options = inForm(.regex(expression: "a"))
            await expectError("invalid_option") {
                _ = try await conversation.respond(to: question, as: Ticket.self, options: options)
            }
            #expect(conversation.messages().isEmpty)
        }
    }

    indirect enum Shape: Respondable {
        case circle(radius: Double)
        case group(shapes: [Shape])

        static let schema = Schema.any(of: [
            .object(["circle": .object(["radius": .number(in: 0...9.5)])]),
            .object(["group": .object(["shapes": .array(of: .of(Shape.self), maxItems: 2)])]).described("several"),
        ])
    }

    struct Everything: Respondable {
        let names: [String: String]
        let shape: Shape
        let numbers: [Int?]
        let next: [Everything]

        static let schema = Schema.object([
            "names": .dictionary(of: .string(maxLength: 5), maxItems: 2),
            "shape": .of(Shape.self),
            "numbers": .array(of: .integer(in: 0...1).optional(), maxItems: 1),
            "next": .array(of: .of(Everything.self), maxItems: 1),
        ])
    }

    @Test func typesHaveSchemasThatTheCoreCanHold() async throws {
        let circle =
            #"{"type":"object","properties":{"circle":{"type":"object","properties":{"radius":"#
            + #"{"type":"number","minimum":0.0,"maximum":9.5}},"required":["radius"],"additionalProperties":false}},"#
            + #""required":["circle"],"additionalProperties":false}"#
        let group =
            #"{"type":"object","properties":{"group":{"type":"object","properties":{"shapes":"#
            + ##"{"type":"array","items":{"$ref":"#/$defs/Shape"},"minItems":0,"maxItems":2}},"##
            + #""required":["shapes"],"additionalProperties":false}},"#
            + #""required":["group"],"additionalProperties":false,"description":"several"}"#
        let everything =
            #"{"type":"object","properties":{"names":{"type":"object","additionalProperties":"#
            + #"{"type":"string","minLength":0,"maxLength":5},"minProperties":0,"maxProperties":2},"#
            + ##""shape":{"$ref":"#/$defs/Shape"},"numbers":{"type":"array","items":{"anyOf":"##
            + #"[{"type":"integer","minimum":0,"maximum":1},{"type":"null"}]},"minItems":0,"maxItems":1},"#
            + ##""next":{"type":"array","items":{"$ref":"#/$defs/Everything"},"minItems":0,"maxItems":1}},"##
            + #""required":["names","shape","numbers","next"],"additionalProperties":false}"#
        let shape = #"{"anyOf":[\#(circle),\#(group)]}"#
        let expected =
            ##"{"$ref":"#/$defs/Everything","$defs":{"Shape":"## + shape + #","Everything":"# + everything + "}}"
        #expect(try Schema.of(Everything.self).json == expected)
        #expect(try Schema.of([Ticket].self).fields == "product, urgent, summary (what is wrong), tags, floor")
        try await withConversation { _, conversation in
            // It may be deep; what counts is that the core takes the schema.
            let form = try Schema.of(Everything.self).form
            let text = try await conversation.ask("Hello", options: inForm(form, maxTokens: 8)).all().text
            #expect(text.hasPrefix(#"{"names": "#), "\(text)")
        }
    }

    struct Wrong<Place: Sendable>: Respondable {
        static var schema: Schema {
            switch Place.self {
            case is Bool.Type: .object(["flag": .string(minLength: 3, maxLength: 2)])
            case is Int.Type: .object(["list": .array(of: .string(), minItems: -1)])
            case is String.Type: .object(["text": .choice([])])
            case is Float.Type: .object(["number": .number(in: 0 ... .infinity)])
            default: .object(["twice": .boolean, "twice": .boolean])
            }
        }
    }

    @Test func aTypeWithoutASchemaIsRefusedWithItsPlaceBeforeAnythingIsAsked() async throws {
        func check<Value: Respondable>(_ type: Value.Type, _ place: String, _ reason: String) async throws {
            let expected = WhimbrelError.unsupportedType(place: place, reason: reason)
            try await withConversation { _, conversation in
                await #expect(throws: expected) { _ = try await conversation.respond(to: "Hello", as: type) }
                await #expect(throws: expected) { _ = try await conversation.snapshots(to: "Hello", as: type).all() }
                #expect(conversation.messages().isEmpty)
            }
        }
        try await check(Wrong<Bool>.self, "Wrong<Bool>.flag", "its limits exclude everything")
        try await check([Wrong<Int>].self, "Wrong<Int>.list", "its limits exclude everything")
        try await check(Wrong<String>.self, "Wrong<String>.text", "there is nothing to choose")
        try await check(Wrong<Float>.self, "Wrong<Float>.number", "its range has no end")
        try await check(Wrong<Double>.self, "Wrong<Double>.twice", "the name is there twice")
    }

    @Test func aTasksAnswerBecomesAValue() async throws {
        try await withClient { client in
            let model = try await client.openModel(at: Models.tiny)
            let fill = try Tasks.fill(.of(Ticket.self))
            let ticket = try await model.task(fill, question).value(of: Ticket.self)
            let snapshots = try await model.task(fill, question).snapshots(of: Ticket.self).all()
            #expect(snapshots.last?.value == ticket)
        }
    }

    struct Person: Respondable, Equatable {
        let name: String
        let age: Int
        let town: String

        static let schema = Schema.object([
            "name": .string(maxLength: 40),
            "age": .integer(in: 0...120),
            "town": .string(maxLength: 40).described("where the person lives"),
        ])
    }

    /// The examples of docs/typed-values.md.
    @Test func aPersonIsReadFromAText() async throws {
        try await withClient { client in
            // With its card, as `whimbrel models pull` installs it.
            let model = try await client.openModel(at: "\(Models.smollm2)-card")
            let conversation = try model.conversation()
            let text = "Ada is 36 and lives in London."
            var shown: [(Person?, String)] = []
            func show(_ value: Person?, _ json: String) { shown.append((value, json)) }

            let fields = try Schema.of(Person.self).fields
            let person = try await conversation.respond(
                to: "Write this as JSON with \(fields): \(text)", as: Person.self)
            for try await snapshot in conversation.snapshots(to: text, as: Person.self) {
                show(snapshot.value, snapshot.json)
            }
            #expect(fields == "name, age, town (where the person lives)")
            #expect((0...120).contains(person.age) && person.name.count <= 40)
            let (value, json) = try #require(shown.last)
            #expect(try JSONDecoder().decode(Person.self, from: Data(json.utf8)) == value)

            let filled = try await model.task(Tasks.fill(.of(Person.self)), text).value(of: Person.self)
            #expect(filled == Person(name: "Ada", age: 36, town: "London"))
        }
    }
}
