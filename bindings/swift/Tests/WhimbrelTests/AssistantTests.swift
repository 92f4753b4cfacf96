import Foundation
import Testing
import Whimbrel

@Suite struct AssistantTests {
    @Test func thePrivatePresetAnswersOnThisDeviceAndLeavesAReceipt() async throws {
        try await withAssistant { assistant, conversation in
            let question = "Write to ada@example.com"
            let events = try await conversation.ask(question, options: shortAnswer).all()
            guard case .trying(let place, nil) = events.first, case .onDevice = place else {
                Issue.record("not tried on this device")
                return
            }
            let report = try #require(events.report)
            #expect(report.outcome == .answered && report.bytesOut == 0 && report.tokensOut == 8)
            #expect(
                try conversation.messages() == [
                    Message(role: .user, content: question), Message(role: .assistant, content: events.text),
                ]
            )
            let receipt = try await assistant.receipt(report.receipt)
            #expect(receipt.outcome == .answered && receipt.place == place && receipt.privacyClass == .personal)
            #expect(receipt.findings.map(\.kind) == ["email"])
            #expect(!receipt.json.contains("ada@") && !report.json.contains("ada@"))
            #expect(try await assistant.receipts(ReceiptFilter(place: .onDevice)) == [receipt])
            #expect(try await assistant.receipts(ReceiptFilter(outcome: .denied)).isEmpty)
            #expect(try await assistant.stats().summary.contains("1 answer on this phone"))
        }
    }

    @Test func aDeniedRequestLeavesAReceiptAndNamesTheRule() async throws {
        let rule = "[[rules]]\nid = \"mine\"\nwhen = { class = { min = \"personal\" } }\ndeny = [\"on_device\"]"
        try await withAssistant(policy("\"on_device\"", rule)) { assistant, conversation in
            var options = shortAnswer
            options.privacyClass = .sensitive
            let report = try #require(try await conversation.ask("Hello", options: options).all().report)
            #expect(report.outcome == .denied && report.rules == ["mine"])
            let receipt = try await assistant.receipt(report.receipt)
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
            #expect(report.outcome == .unavailable && report.refused.first?.reason.contains("battery") == true)
            try assistant.updateDevice(DeviceUpdate(unknown: [.batteryPercent]))
            #expect(try await conversation.explain("Hello").decision == .run)
        }
    }

    @Test func feedbackLearningAndAVerifiedLedger() async throws {
        try await withAssistant { assistant, conversation in
            await expectError("nothing_to_repeat") { _ = try await conversation.regenerate().all() }
            let report = try #require(try await conversation.ask("Hello", options: shortAnswer).all().report)
            try await assistant.feedback(report.receipt, .kept(editedPermille: 250))
            #expect(try await assistant.receipt(report.receipt).json.contains("\"edited_permille\":250"))
            await expectError("ledger") { try await assistant.feedback(99, .thumbsUp) }
            try await assistant.setLearning(.frozen)
            #expect(try assistant.learning() == .frozen)
            try await assistant.resetLearning()
            _ = try await conversation.regenerate(shortAnswer.generation).all()
            let verified = try await assistant.verifyLedger()
            #expect(verified.intact && verified.receipts == 2)
            try await withFolder { folder in
                let file = folder.appendingPathComponent("export").path
                try await assistant.exportLedger(to: file)
                #expect(try String(contentsOfFile: file, encoding: .utf8).contains("whimbrel_ledger"))
                await expectError("ledger") { try await assistant.exportLedger(to: file) }
            }
        }
    }

    @Test func redactionShowsWhatAnEndpointWouldGet() async throws {
        try await withAssistant { assistant, _ in
            try assistant.setUserWords(["Whimsical"])
            let redacted = try await assistant.redact("Whimsical, ada@example.com")
            #expect(redacted.text == "⟨WORD_1⟩, ⟨EMAIL_1⟩")
            #expect(redacted.findings.map(\.kind) == ["user_word", "email"])
        }
    }

    @Test func cancellingTheTaskStopsTheAnswer() async throws {
        try await withAssistant { assistant, conversation in
            for try await event in conversation.ask("Hello", options: AskOptions(generation: longAnswer)) {
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
                await expectError("closed") { _ = try conversation.messages() }
            }
            var broken = options
            broken.vault = BrokenVault()
            await expectError("vault") { _ = try await Assistant(broken) }
        }
    }

    @Test func theSystemsModelAnswers() async throws {
        try await withAssistant(systemFirst) { assistant, conversation in
            try assistant.setSystemModel(
                FakeSystemModel { request in ["You said: ", request.messages.last?.content ?? ""].stream() }
            )
            try assistant.prewarmSystemModel()
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
            try assistant.setSystemModel(FakeSystemModel(answers))
            let events = try await conversation.ask("Hello", options: shortAnswer).all()
            #expect(events.contains(.restarted) == restarts)
            #expect(events.report?.outcome == .answered)
            #expect(events.report?.tried.first == "system_model:fake")
            #expect(events.report?.tried.count == 2)
            #expect(try conversation.messages().last?.content.contains("half") == false)
        }
    }

    @Test func aCancelledAnswerLetsGoOfTheStream() async throws {
        try await withAssistant(systemFirst) { assistant, conversation in
            let (ended, hasEnded) = AsyncStream<Void>.makeStream()
            try assistant.setSystemModel(
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
