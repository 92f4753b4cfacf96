import Foundation
import Testing
import Whimbrel

/// Tools: functions of the app that the model calls, through the real core.
@Suite struct ToolTests {
    struct WeatherArguments: Respondable {
        let place: String
        static let schema = Schema.object(["place": .string(maxLength: 40)])
    }

    /// Short to write for the model.
    struct Place: Respondable {
        let place: String
        static let schema = Schema.object(["place": .choice(["Lyon", "Paris"])])
    }

    /// A type that asks for more than its schema says.
    struct Stubborn: Respondable {
        static let schema = Place.schema
        init(from decoder: any Decoder) throws { throw CocoaError(.coderInvalidValue) }
    }

    struct TooCold: Error, CustomStringConvertible {
        let description: String
    }

    /// What happened, from any task.
    final class Notes: @unchecked Sendable {
        private let lock = NSLock()
        private var notes: [String] = []
        var all: [String] { lock.withLock { notes } }
        func add(_ note: String) { lock.withLock { notes.append(note) } }
    }

    private let question = "Is it warm in Lyon?"

    /// The model has to call a tool once, and then it answers.
    private func options(_ tools: [Tool] = [], wait: Duration = .seconds(120), calls: Int = 1) -> AskOptions {
        let tools = ToolOptions(tools: tools, choice: .required, callsMax: calls, resultTimeMax: wait)
        // The tiny model repeats itself.
        let generation = GenerationOptions(maxTokens: 64, repetitionGuard: false)
        return AskOptions(tools: tools, generation: generation)
    }

    private func weather(
        _ permission: ToolPermission = .always,
        resultClass: PrivacyClass = .public,
        _ function: @escaping @Sendable (Place) async throws -> String
    ) -> ToolFunction {
        ToolFunction("weather", "The weather", permission: permission, resultClass: resultClass, function)
    }

    private func ends(_ events: [Event]) -> [CallEnd]? { events.report?.calls.map(\.end) }

    @Test func aFunctionIsCalledAndItsResultReachesTheNextRound() async throws {
        try await withAssistant { assistant, conversation in
            let notes = Notes()
            let weather = weather(resultClass: .sensitive) { arguments in
                notes.add(arguments.place)
                return "Ask ada@example.com"
            }
            let events = try await conversation.ask(question, options: options(), tools: Tools([weather])).all()
            let call = try #require(events.calls.first)
            #expect(events.calls.count == 1 && call.name == "weather" && !call.mustConfirm)
            #expect(notes.all.map { "{\"place\": \"\($0)\"}" } == [call.arguments])
            let report = try #require(events.report)
            let receipts = try await assistant.receipts()
            #expect(report.outcome == .answered && receipts.count == 2)
            let last = try #require(receipts.first { $0.id == report.receipt })
            let first = try #require(receipts.first { $0.id != report.receipt })
            #expect(report.calls == [CallReport(name: "weather", end: .done, receipt: first.id)])
            // What the function gave was examined with the question.
            #expect(first.findings.isEmpty && last.findings == ["email": 1])
            #expect(first.privacyClass == .public && last.privacyClass == .sensitive)
            #expect(conversation.said == ["user: \(question)", "assistant: \(events.text)"])
        }
    }

    @Test func aPersonDecidesWhetherAFunctionRuns() async throws {
        func check(
            _ confirm: (@Sendable (PendingCall) async -> Bool)?,
            _ end: CallEnd,
            runs: Int
        ) async throws {
            try await withTools { _, conversation in
                let notes = Notes()
                let weather = weather(.confirm) { arguments in
                    notes.add(arguments.place)
                    return "18 degrees"
                }
                let tools = Tools([weather], confirm: confirm)
                let events = try await conversation.ask(question, options: options(), tools: tools).all()
                #expect(events.calls.map(\.mustConfirm) == [true])
                #expect(ends(events) == [end] && notes.all.count == runs && events.report?.outcome == .answered)
            }
        }
        try await check({ $0.name == "weather" && $0.arguments.hasPrefix("{") }, .done, runs: 1)
        try await check({ _ in false }, .refused, runs: 0)
        try await check(nil, .refused, runs: 0)
    }

    @Test func aPolicyDecidesBeforeThePerson() async throws {
        func check(_ use: String, _ permission: ToolPermission, _ expected: CallEnd, calls: Int) async throws {
            let rule = "[[tools]]\nid = \"mine\"\nwhen = { tool = [\"weather\"] }\nuse = \"\(use)\""
            try await withAssistant(policy("\"on_device\"", rule)) { _, conversation in
                let tools = Tools([weather(permission) { _ in "18 degrees" }])
                let events = try await conversation.ask(question, options: options(), tools: tools).all()
                #expect(ends(events) == [expected] && events.calls.count == calls)
                #expect(events.report?.outcome == .answered)
            }
        }
        try await check("never", .always, .notAllowed, calls: 0)
        try await check("confirm", .always, .refused, calls: 1)
        try await check("always", .confirm, .done, calls: 1)
    }

    @Test func aFunctionThatFailsDoesNotEndTheAnswer() async throws {
        func check(_ function: ToolFunction, _ end: CallEnd = .failed) async throws {
            try await withTools { _, conversation in
                let events = try await conversation.ask(question, options: options(), tools: Tools([function])).all()
                #expect(ends(events) == [end] && events.report?.outcome == .answered)
            }
        }
        try await check(weather { _ in throw TooCold(description: "no thermometer") })
        try await check(weather { _ in throw TooCold(description: String(repeating: "long ", count: 20_000)) })
        try await check(weather { _ in throw CancellationError() })
        try await check(weather { _ in String(repeating: "a", count: 65_537) })
        try await check(ToolFunction("weather", "", permission: .always) { (_: Stubborn) in "never" })
        try await check(weather { _ in String(repeating: "a", count: 100) }, .done)
    }

    @Test func whatAFunctionGivesIsReadByTheModel() async throws {
        func tokens(_ function: @escaping @Sendable (Place) throws -> String) async throws -> Int {
            try await withTools { _, conversation in
                let tools = Tools([weather { try function($0) }])
                let events = try await conversation.ask(question, options: options(), tools: tools).all()
                return try #require(events.statistics).promptTokens
            }
        }
        let (short, long) = ("18", String(repeating: "degrees ", count: 20))
        let read = try await tokens { _ in short }
        #expect(try await tokens { _ in long } > read)
        #expect(try await tokens { _ in throw TooCold(description: long) } > read)
    }

    @Test func cancellingTheTaskStopsTheFunctionAndTheCore() async throws {
        try await withTools { client, conversation in
            let (begun, hasBegun) = AsyncStream<Void>.makeStream()
            let notes = Notes()
            let weather = weather { _ in
                hasBegun.yield()
                do { try await Task.sleep(for: .seconds(600)) } catch { notes.add("cancelled") }
                return "too late"
            }
            let reader = Task {
                try await conversation.ask(question, options: options(), tools: Tools([weather])).all()
            }
            for await _ in begun { break }
            reader.cancel()
            let events = try await reader.value
            // The function has ended when the stream has.
            #expect(notes.all == ["cancelled"] && events.calls.count == 1 && events.report == nil)
            try await conversation.settled()
            #expect(client.activeAnswers == 0)
            #expect(try await conversation.ask("Hello", options: shortAnswer).all().report?.outcome == .answered)
        }
    }

    @Test func cancellingTheTaskWhileAPersonIsAskedRunsNothing() async throws {
        try await withTools { _, conversation in
            let (begun, hasBegun) = AsyncStream<Void>.makeStream()
            let notes = Notes()
            let weather = weather(.confirm) { _ in
                notes.add("ran")
                return "18 degrees"
            }
            let tools = Tools([weather]) { _ in
                hasBegun.yield()
                try? await Task.sleep(for: .seconds(600))
                return true
            }
            let reader = Task { try await conversation.ask(question, options: options(), tools: tools).all() }
            for await _ in begun { break }
            reader.cancel()
            let events = try await reader.value
            #expect(events.report == nil && notes.all.isEmpty)
        }
    }

    @Test func aReaderThatLeavesAtACallRunsNothing() async throws {
        try await withTools { client, conversation in
            let notes = Notes()
            let weather = weather { _ in
                notes.add("ran")
                return "18 degrees"
            }
            for try await event in conversation.ask(question, options: options(), tools: Tools([weather])) {
                if case .call = event { break }
            }
            try await conversation.settled()
            #expect(client.activeAnswers == 0 && notes.all.isEmpty)
        }
    }

    @Test func anAnswerThatIsStoppedStopsItsFunction() async throws {
        try await withTools { _, conversation in
            let weather = weather { _ in
                conversation.stop()
                try await Task.sleep(for: .seconds(600))
                return "too late"
            }
            let events = try await conversation.ask(question, options: options(), tools: Tools([weather])).all()
            #expect(events.report?.outcome == .cancelled && ends(events) == [.dropped])
        }
    }

    @Test func theAnswerGoesOnWithoutAFunctionThatTakesTooLong() async throws {
        try await withTools { _, conversation in
            let weather = weather { _ in
                try await Task.sleep(for: .seconds(600))
                return "too late"
            }
            let limited = options(wait: .milliseconds(20))
            let events = try await conversation.ask(question, options: limited, tools: Tools([weather])).all()
            #expect(ends(events) == [.timedOut] && events.report?.outcome == .answered)
        }
    }

    @Test func theTextOfAnAnswerWithToolsCanBeReadAlone() async throws {
        try await withTools { _, conversation in
            let tools = Tools([weather { _ in "18 degrees" }])
            let texts = try await conversation.ask(question, options: options(), tools: tools).textSoFar().all()
            #expect(conversation.messages().last?.content == texts.last)
        }
    }

    @Test func aQuestionAskedAgainHasItsFunctions() async throws {
        try await withTools { _, conversation in
            let notes = Notes()
            let weather = weather { _ in
                notes.add("ran")
                return "18 degrees"
            }
            _ = try await conversation.ask(question, options: options(), tools: Tools([weather])).all()
            let again = try await conversation.regenerate(options().generation).all()
            #expect(ends(again) == [.done] && notes.all.count == 2)
        }
    }

    private let tool = Tool(
        name: "weather",
        description: "The weather",
        parameters: #"""
            {"type": "object", "properties": {"place": {"enum": ["Lyon"]}}, "required": ["place"],
             "additionalProperties": false}
            """#
    )

    @Test func anAppGivesResultsItself() async throws {
        try await withTools { _, conversation in
            #expect(throws: WhimbrelError.unknownCall(id: 0)) { try conversation.giveResult(0, .refused) }
            for (result, end) in [(.done(text: "18"), .done), (.failed(reason: "no"), .failed), (.refused, .refused)]
                as [(ToolResult, CallEnd)]
            {
                var seen: [Event] = []
                for try await event in conversation.ask(question, options: options([tool])) {
                    seen.append(event)
                    guard case .call(let call) = event else { continue }
                    let lyon = #"{"place": "Lyon"}"#
                    #expect(call == PendingCall(id: call.id, name: "weather", arguments: lyon, mustConfirm: true))
                    await expectError("limit_exceeded") {
                        try conversation.giveResult(call.id, .done(text: String(repeating: "a", count: 65_537)))
                    }
                    await expectError("unknown_call") { try conversation.giveResult(call.id + 1_000, result) }
                    await expectError("unknown_call") { try conversation.giveResult(-1, result) }
                    // It still waits.
                    try conversation.giveResult(call.id, result)
                    await expectError("unknown_call") { try conversation.giveResult(call.id, result) }
                }
                #expect(seen.report?.calls == [CallReport(name: "weather", end: end, receipt: nil)])
            }
        }
    }

    @Test func anAnswerOutsideAConversationHasFunctionsToo() async throws {
        try await withAssistant { assistant, _ in
            let tools = Tools([weather { _ in "18 degrees" }])
            let messages = [Message(role: .user, content: question)]
            let events = try await assistant.answer(messages, options: options(), tools: tools).all()
            #expect(ends(events) == [.done] && events.calls.count == 1 && events.report?.outcome == .answered)
        }
    }

    @Test func aFunctionMayTakeTheArgumentsAsTheyAre() async throws {
        try await withTools { _, conversation in
            let notes = Notes()
            var free = tool
            free.permission = .always
            let weather = ToolFunction(free) { arguments in
                notes.add(arguments)
                return "18 degrees"
            }
            let events = try await conversation.ask(question, options: options(), tools: Tools([weather])).all()
            #expect(ends(events) == [.done] && notes.all == [#"{"place": "Lyon"}"#])
        }
    }

    struct Crooked: Respondable {
        static let schema = Schema.object(["list": .array(of: .string(), minItems: -1)])
    }

    @Test func toolsThatCannotBeOfferedAreRefusedBeforeAnythingIsAsked() async throws {
        func check(_ functions: [ToolFunction], _ code: String = "invalid_option") async throws {
            try await withTools { _, conversation in
                await expectError(code) { _ = try await conversation.ask(question, tools: Tools(functions)).all() }
                #expect(conversation.messages().isEmpty)
            }
        }
        let fine = weather { _ in "" }
        try await check([ToolFunction("the weather", "") { (_: Place) in "" }])
        try await check([ToolFunction("", "") { (_: Place) in "" }])
        try await check([ToolFunction("list", "") { (_: [String]) in "" }])
        try await check([ToolFunction("list", "") { (_: Crooked) in "" }], "unsupported_type")
        try await check([fine, fine])
        try await withTools { _, conversation in
            await expectError("invalid_option") {
                _ = try await conversation.ask(question, options: options([tool]), tools: Tools([fine])).all()
            }
        }
        let parameters = try fine.tool.parameters
        #expect(try Place.schema.json == parameters)
        try fine.tool.validate()

        var wrong = tool
        try wrong.validate()
        wrong.parameters = #"{"type": "object", "not": {"type": "null"}}"#
        await expectError("invalid_option") { try wrong.validate() }
        wrong.name = "the weather"
        do { try wrong.validate() } catch WhimbrelError.invalidOption(let option, _, let found) {
            #expect(option == "tools" && found.hasPrefix("the weather: "))
        }
        try await check([ToolFunction(wrong) { _ in "" }])
        try await withTools { _, conversation in
            await expectError("invalid_option") {
                _ = try await conversation.ask(question, options: options(calls: -1)).all()
            }
            await expectError("limit_exceeded") {
                _ = try await conversation.ask(question, options: options([tool], calls: 65)).all()
            }
            var held = options([tool])
            held.generation.form = .choice(choices: ["yes", "no"])
            await expectError("invalid_option") { [held] in
                _ = try await conversation.ask(question, options: held).all()
            }
        }
    }

    @Test func aQuestionWithToolsDoesNotWaitBehindOthers() async throws {
        try await onPhone { phone, _ in
            let assistant = try await phone.start(.offline)
            let conversation = try await assistant.conversations.create("Tunnel")
            #expect(try await conversation.ask("One?").all().report?.queued == 1)
            await expectError("tools_cannot_wait") {
                _ = try await conversation.ask(question, options: options([tool])).all()
            }
            await assistant.shutdown()
        }
    }

    /// The example of docs/tools.md.
    @Test func theWeatherIsAskedFor() async throws {
        try await withClient { client in
            let conversation = try await client.openModel(at: "\(Models.smollm2)-card").conversation()
            let notes = Notes()
            @Sendable func askThePerson(_ call: PendingCall) async -> Bool {
                notes.add(call.name)
                return true
            }
            var ends: [CallEnd] = []
            func print(_ calls: [CallReport]) { ends = calls.map(\.end) }
            func print(_ text: String, terminator: String = "\n") { notes.add(text) }

            let weather = ToolFunction("weather", "The weather at a place") { (arguments: WeatherArguments) in
                "18 degrees in \(arguments.place)"
            }
            let tools = Tools([weather], confirm: { call in await askThePerson(call) })
            let options = AskOptions(tools: ToolOptions(choice: .required))
            for try await event in conversation.ask("Is it warm in Lyon?", options: options, tools: tools) {
                switch event {
                case .call(let call): print("calls \(call.name)")
                case .text(let text): print(text, terminator: "")
                case .finished(let report): print(report.calls)
                default: continue
                }
            }
            #expect(notes.all.starts(with: ["calls weather", "weather"]) && notes.all.count > 2)
            #expect(ends.first == .done)
        }
    }
}

/// A conversation in whose context tools, calls and results have room.
private func withTools<Value>(_ body: (WhimbrelClient, Conversation) async throws -> Value) async throws -> Value {
    var value: Value?
    try await withConversation(ConversationOptions(contextLength: 2048)) { client, conversation in
        value = try await body(client, conversation)
    }
    return try #require(value)
}

extension [Event] {
    fileprivate var calls: [PendingCall] {
        compactMap { event in
            if case .call(let call) = event { call } else { nil }
        }
    }
}
