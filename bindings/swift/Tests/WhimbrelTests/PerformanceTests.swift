import Testing
import Whimbrel

@Suite struct PerformanceTests {
    @Test func whatRequestsTookIsCountedShownAndForgotten() async throws {
        try await withAssistant { assistant, conversation in
            let device = DeviceUpdate(batteryMilliwatts: 2_000, thermal: .fair, memoryTotalBytes: 6_000_000_000)
            try assistant.updateDevice(device)
            let heard = try await conversation.ask("A secret question?", options: shortAnswer).all()
            let report = try #require(heard.report)
            let performance = try await assistant.performance()
            #expect(performance.outcomes.answered == 1)
            let series = try #require(performance.series.first)
            #expect(series.place == .onDevice && series.device == .medium)
            let tokens = try #require(series.measures.first { $0.measure == .outputTokens })
            #expect(tokens.sum == report.tokensOut && tokens.counts.count == tokens.bounds.count + 1)
            #expect(performance.energy.map(\.method) == ["battery-power"])
            #expect(performance.days.first?.thermalMax == .fair && performance.days.first?.answeredHere == 1)
            #expect(performance.regressions.isEmpty && performance.failures.isEmpty)
            let page = try await assistant.performancePage()
            #expect(page.contains("this phone") && page.contains("<svg"))
            #expect(!page.contains("secret") && !performance.json.contains("secret"))
            try await assistant.resetPerformance()
            #expect(try await assistant.performance().outcomes.answered == 0)
        }
    }
}
