import Foundation
import Testing
import Whimbrel

@Suite struct SmolLM2Tests {
    private struct CommandLineAnswer: Decodable {
        let text: String
    }

    @Test func smolLM2AnswersAsTheCommandLineDoes() async throws {
        let json = try Data(contentsOf: URL(fileURLWithPath: Models.variable("WHIMBREL_ANSWER")))
        let expected = try JSONDecoder().decode(CommandLineAnswer.self, from: json).text
        let maxTokens = try #require(Int(Models.variable("WHIMBREL_MAX_TOKENS")))
        try await withClient { client in
            let conversation = try await client.openModel(at: Models.smollm2).conversation()
            let question = Models.variable("WHIMBREL_QUESTION")
            let answer = try await conversation.ask(question, options: atMost(maxTokens)).all().text
            #expect(answer == expected)
            #expect(!answer.isEmpty)
        }
    }
}
