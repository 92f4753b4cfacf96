import Testing
import Whimbrel

@Suite struct TelemetryTests {
    private let section = "[telemetry]\nurl = \"http://127.0.0.1:9\"\nservice = \"notes\"\ntrust = \"organisation\""

    @Test func nothingIsSentWithoutConsent() async throws {
        try await withAssistant(policy("\"on_device\"", section)) { assistant, conversation in
            let telemetry = assistant.telemetry()
            let target = try #require(try await telemetry.status().target)
            #expect(target.url == "http://127.0.0.1:9" && target.bytesADay == 50_000 && !target.isMeteredAllowed)
            #expect(try await telemetry.run().because == "no_consent")
            try await telemetry.allow(TelemetrySignals(metrics: true, traces: false))
            let status = try await telemetry.status()
            #expect(status.consent?.url == target.url && status.signals.metrics && !status.signals.traces)
            #expect(try await telemetry.run().because == "nothing_new")
            _ = try await conversation.ask("Hello", options: shortAnswer).all()
            try assistant.updateDevice(DeviceUpdate(network: .offline))
            #expect(try await telemetry.run(within: .seconds(5)).because == "no_network")
            // Nobody listens there: it is tried, and comes later.
            try assistant.updateDevice(DeviceUpdate(network: .unmetered))
            let tried = try await telemetry.run(within: .seconds(5))
            #expect(tried.because == nil || tried.because == "backoff")
            #expect(!tried.metrics && tried.nextMs != nil)
            try await telemetry.withdraw()
            #expect(try await telemetry.status().consent == nil)
            #expect(try await telemetry.run().because == "no_consent")
        }
    }

    @Test func aPolicyMustSayWhereItGoes() async throws {
        try await withAssistant { assistant, _ in
            await expectError("no_telemetry") {
                try await assistant.telemetry().allow(TelemetrySignals(metrics: true, traces: true))
            }
            let status = try await assistant.telemetry().status()
            #expect(status.target == nil)
        }
    }
}
