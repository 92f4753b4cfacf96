import Foundation
import Testing
import Whimbrel

@Suite struct AssistantTests {
    @Test func thePrivatePresetAnswersOnThisDeviceAndLeavesAReceipt() async throws {
        try await withAssistant { assistant, conversation in
            let question = "Write to ada@example.com"
            let events = try await conversation.ask(question, options: shortAnswer).all()
            guard case .started(let place, nil) = events.first, case .onDevice = place else {
                Issue.record("not tried on this device")
                return
            }
            let report = try #require(events.report)
            #expect(report.outcome == .answered && report.bytesOut == 0 && report.tokensOut == 8)
            #expect(conversation.said == ["user: \(question)", "assistant: \(events.text)"])
            let receipt = try await assistant.receipt(try #require(report.receipt))
            #expect(receipt.outcome == .answered && receipt.place == place && receipt.privacyClass == .personal)
            #expect(receipt.findings == ["email": 1])
            #expect(!receipt.json.contains("ada@") && !report.json.contains("ada@"))
            #expect(try await assistant.receipts(ReceiptFilter(place: .onDevice)) == [receipt])
            #expect(try await assistant.receipts(ReceiptFilter(outcome: .denied)).isEmpty)
            let stats = try await assistant.stats()
            #expect(stats.answers == [.onDevice: 1] && stats.summary.contains("1 answer on this phone"))
        }
    }

    @Test func aDeniedRequestLeavesAReceiptAndNamesTheRule() async throws {
        let rule = "[[rules]]\nid = \"mine\"\nwhen = { class = { min = \"personal\" } }\ndeny = [\"on_device\"]"
        try await withAssistant(policy("\"on_device\"", rule)) { assistant, conversation in
            var options = shortAnswer
            options.privacyClass = .sensitive
            let report = try #require(try await conversation.ask("Hello", options: options).all().report)
            #expect(report.outcome == .denied && report.rules == ["mine"])
            let receipt = try await assistant.receipt(try #require(report.receipt))
            #expect(receipt.outcome == .denied && receipt.rules == ["mine"])
            let explanation = try await conversation.explain("Hello", options: options)
            #expect(explanation.decision == .denied && explanation.text.contains("mine"))
            #expect(try await conversation.ask("Hello", options: shortAnswer).all().report?.outcome == .answered)
        }
    }

    @Test func aPolicyIsRefusedWithItsPlaceAndTheOneBeforeStays() async throws {
        try await withAssistant { assistant, conversation in
            do {
                try assistant.setPolicies(app: policy("\"everywhere\""))
                Issue.record("no error")
            } catch WhimbrelError.policy(let line, _, let path, _) {
                #expect(line == 3 && path == "otherwise[0]")
            }
            await expectError("policy") { try assistant.setUserPolicy(policy("\"on_device\"")) }
            #expect(try await conversation.ask("Hello", options: shortAnswer).all().report?.outcome == .answered)
        }
    }

    @Test func theStateOfTheDeviceDecides() async throws {
        let careful = policy("\"on_device\"", "[limits]\nbattery_percent_min = 30")
        try await withAssistant(careful) { assistant, conversation in
            #expect(try await conversation.explain("Hello").decision == .run)
            try assistant.updateDevice(DeviceUpdate(batteryPercent: 10, charging: false))
            try assistant.updateDevice(DeviceUpdate(network: .offline))
            #expect(try await conversation.explain("Hello").decision == .unavailable)
            let report = try #require(try await conversation.ask("Hello", options: shortAnswer).all().report)
            #expect(report.outcome == .failed && report.code == "unavailable")
            #expect(report.refused.first?.reason.contains("battery") == true)
            try assistant.updateDevice(DeviceUpdate(unknown: [.batteryPercent]))
            #expect(try await conversation.explain("Hello").decision == .run)
            await expectError("invalid_option") { try assistant.updateDevice(DeviceUpdate(lossPercent: 101)) }
        }
    }

    @Test func feedbackLearningAndAVerifiedLedger() async throws {
        try await withAssistant { assistant, conversation in
            await expectError("nothing_to_repeat") { _ = try await conversation.regenerate().all() }
            let report = try #require(try await conversation.ask("Hello", options: shortAnswer).all().report)
            let receipt = try #require(report.receipt)
            try await assistant.feedback(receipt, .kept(editedPermille: 250))
            #expect(try await assistant.receipt(receipt).json.contains("\"edited_permille\":250"))
            await expectError("ledger") { try await assistant.feedback(99, .thumbsUp) }
            try await assistant.setLearning(.frozen)
            #expect(assistant.learning() == .frozen)
            try await assistant.resetLearning()
            _ = try await conversation.regenerate(shortAnswer.generation).all()
            let verified = try await assistant.verifyLedger()
            #expect(verified.isIntact && verified.receipts == 2)
            try await withFolder { folder in
                let file = folder.appendingPathComponent("export").path
                try await assistant.exportLedger(to: file)
                #expect(try String(contentsOfFile: file, encoding: .utf8).contains("whimbrel_ledger"))
                await expectError("ledger") { try await assistant.exportLedger(to: file) }
            }
        }
    }

    @Test func oldReceiptsAreRemoved() async throws {
        try await withAssistant { assistant, conversation in
            for _ in 0..<3 { _ = try await conversation.ask("Hello", options: shortAnswer).all() }
            #expect(try await !assistant.isLedgerFloorBehind())
            #expect(try await assistant.pruneLedger(Prune(receiptsMax: 3)) == nil)
            #expect(try await assistant.pruneLedger(Prune(receiptsMax: 1))?.receipts == 2)
            #expect(try await assistant.receipts().count == 1)
            #expect(try await assistant.verifyLedger().isIntact)
        }
    }

    @Test func aClassThatWasDeclaredHoldsForTheConversationAndForItsMessages() async throws {
        try await withAssistant { assistant, conversation in
            var options = shortAnswer
            options.privacyClass = .secret
            _ = try await conversation.ask("Hello", options: options).all()
            let kept = conversation.messages()
            #expect(kept.allSatisfy { $0.privacyClass == .secret && $0.recipients != nil })
            let other = try assistant.conversation(testContext)
            try other.setMessages(kept)
            #expect(other.messages() == kept)
            #expect(try await receiptOfAQuestion(assistant, other).privacyClass == .secret)
            let raised = try assistant.conversation(testContext)
            raised.raiseClass(.sensitive)
            #expect(try await receiptOfAQuestion(assistant, raised).privacyClass == .sensitive)
        }
    }

    private func receiptOfAQuestion(_ assistant: Assistant, _ conversation: Conversation) async throws -> Receipt {
        let report = try await conversation.ask("And then?", options: shortAnswer).all().report
        return try await assistant.receipt(try #require(report?.receipt))
    }

    @Test func messagesWithoutAConversationAreAnswered() async throws {
        try await withAssistant { assistant, _ in
            let question = [Message(role: .user, content: "Hello")]
            let report = try #require(try await assistant.answer(question, options: shortAnswer).all().report)
            #expect(report.outcome == .answered)
            #expect(try await assistant.receipt(try #require(report.receipt)).outcome == .answered)
        }
    }

    @Test func aTaskIsKnownToReceiptsByItsName() async throws {
        try await withAssistant { assistant, _ in
            let options = TaskOptions(privacyClass: .sensitive)
            let report = try #require(try await assistant.task(Tasks.tone, "Nice!", options: options).all().report)
            let receipt = try await assistant.receipt(try #require(report.receipt))
            #expect(receipt.task == "tone" && receipt.privacyClass == .sensitive)
        }
    }

    @Test func keysAndEndpoints() async throws {
        let endpoint = """
            [[endpoints]]
            id = "cloud"
            base_url = "https://llm.example.org/v1"
            model = "m"
            trust = "public_cloud"
            cost_per_1k_tokens = 1
            """
        try await withAssistant(policy("\"on_device\"", endpoint)) { assistant, _ in
            try await assistant.setKey("secret", for: "cloud")
            try await assistant.setKey(nil, for: "cloud")
            try assistant.setEndpoint("cloud", EndpointExtras(timeouts: Timeouts(), keyHeader: "api-key"))
            await expectError("invalid_option") {
                try assistant.setEndpoint("cloud", EndpointExtras(authoritiesPem: "no certificate"))
            }
            do { try await assistant.setKey("SECRET\n", for: "cloud") } catch {
                #expect(!"\(error)".contains("SECRET"))
            }
        }
    }

    @Test func redactionShowsWhatAnEndpointWouldGet() async throws {
        try await withAssistant { assistant, _ in
            try assistant.setUserWords(["Whimsical"])
            let redacted = try await assistant.redact("Whimsical, ada@example.com")
            #expect(redacted.text == "⟨WORD_1⟩, ⟨EMAIL_1⟩")
            #expect(redacted.findings.map(\.kind) == ["user_word", "email"])
            #expect(redacted.findings.map(\.placeholder) == ["⟨WORD_1⟩", "⟨EMAIL_1⟩"])
            #expect(redacted.guesses.isEmpty)
        }
    }

    @Test func redactionShowsWhatMayBePersonalAndIsNotReplaced() async throws {
        try await withAssistant { assistant, _ in
            let text = "Did Benhaddou sign the lease? About my HIV test:"
            let redacted = try await assistant.redact(text)
            #expect(redacted.text == text)
            #expect(redacted.guesses == [Guess(kind: "person_name", start: 4, end: 13)])
            #expect(redacted.findings.map(\.kind) == ["health"])
            #expect(redacted.findings.first?.placeholder == nil)
        }
    }

    @Test func cancellingTheTaskStopsTheAnswer() async throws {
        try await withAssistant { assistant, conversation in
            for try await event in conversation.ask("Hello", options: longAnswer) {
                if case .text = event { break }
            }
            // The receipt is closed as soon as the answer has ended.
            var receipt: Receipt?
            while receipt?.outcome == nil {
                receipt = try await assistant.receipts().first
                await Task.yield()
            }
            #expect(receipt?.outcome == .cancelled)
        }
    }

    @Test func aLedgerIsOpenedOnceAtATimeAndGoesOn() async throws {
        try await withFolder { folder in
            let store = folder.appendingPathComponent("ledger").path
            let options = AssistantOptions(store: store, vault: MemoryKeyVault(), appPolicy: policy("\"on_device\""))
            for earlier in 0..<2 {
                let assistant = try await Assistant(options)
                await expectError("ledger") { _ = try await Assistant(options) }
                #expect(try await assistant.receipts().count == earlier)
                let conversation = try assistant.conversation()
                _ = try await conversation.ask("Hello").all()
                for _ in 0..<2 { await assistant.shutdown() }
                await expectError("closed") { _ = try await assistant.receipts() }
                await expectError("closed") { _ = try await conversation.ask("Hello").all() }
            }
            var broken = options
            broken.vault = BrokenVault()
            await expectError("vault") { _ = try await Assistant(broken) }
        }
    }

    @Test func aLedgerWhoseVaultIsGoneBeginsAgain() async throws {
        try await withFolder { folder in
            let store = folder.appendingPathComponent("ledger").path
            let options = AssistantOptions(store: store, vault: MemoryKeyVault(), appPolicy: policy("\"on_device\""))
            let assistant = try await Assistant(options)
            _ = try await assistant.conversation().ask("Hello").all()
            await assistant.shutdown()
            var foreign = options
            foreign.vault = MemoryKeyVault()
            do {
                _ = try await Assistant(foreign)
                Issue.record("no error")
            } catch WhimbrelError.ledger(let problem, _) {
                #expect(problem == "foreign")
            }
            let old = try #require(try await Assistant.restartLedger(store, vault: foreign.vault))
            #expect(FileManager.default.fileExists(atPath: old))
            let another = try await Assistant(foreign)
            #expect(try await another.receipts().isEmpty)
            await another.shutdown()
        }
    }

    @Test func theSystemsModelAnswers() async throws {
        try await withAssistant(systemFirst) { assistant, conversation in
            assistant.setSystemModel(
                FakeSystemModel { request in ["You said: ", request.messages.last?.content ?? ""].stream() }
            )
            assistant.prewarmSystemModel()
            let events = try await conversation.ask("Hello", options: shortAnswer).all()
            #expect(events.text == "You said: Hello")
            #expect(events.report?.place == .systemModel(adapter: "fake"))
        }
    }

    @Test func whatFailsIsFollowedByThisDevice() async throws {
        struct Secret: Error {}
        for error in [SystemModelFailure(.busy), SystemModelFailure(.quotaExceeded), Secret()] as [any Error] {
            try await checkFallback(restarts: false) { _ in [].stream(error) }
            try await checkFallback(restarts: false) { _ in throw error }
            try await checkFallback(restarts: true) { _ in ["half an ans"].stream(error) }
        }
    }

    private func checkFallback(
        restarts: Bool,
        _ answers: @escaping @Sendable (SystemRequest) throws -> AsyncThrowingStream<String, any Error>
    ) async throws {
        try await withAssistant(systemFirst) { assistant, conversation in
            assistant.setSystemModel(FakeSystemModel(answers))
            let events = try await conversation.ask("Hello", options: shortAnswer).all()
            #expect(events.contains(.restarted) == restarts)
            #expect(events.report?.outcome == .answered)
            #expect(events.report?.attempts.first == "system_model:fake")
            #expect(events.report?.attempts.count == 2)
            #expect(conversation.messages().last?.content.contains("half") == false)
        }
    }

    @Test func aCancelledAnswerLetsGoOfTheStream() async throws {
        try await withAssistant(systemFirst) { assistant, conversation in
            let (ended, hasEnded) = AsyncStream<Void>.makeStream()
            assistant.setSystemModel(
                FakeSystemModel { _ in
                    AsyncThrowingStream { continuation in
                        continuation.onTermination = { _ in hasEnded.yield() }
                        continuation.yield("one")
                    }
                }
            )
            for try await event in conversation.ask("Hello", options: shortAnswer) {
                if case .text = event { break }
            }
            for await _ in ended { break }
        }
    }
}
