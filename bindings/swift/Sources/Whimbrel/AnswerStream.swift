import WhimbrelCore

/// Events that are taken over the boundary in one call: a call costs about the same for one as for many.
private let eventsPerCall: UInt32 = 64

/// An answer of the core, whatever its events are.
protocol PulledAnswer: Sendable {
    associatedtype Event: Sendable
    func pull(max: UInt32) async throws -> [Event]
    func cancel()
}

extension WhimbrelCore.Answer: PulledAnswer {
    func pull(max: UInt32) async throws -> [AnswerEvent] { try await next(max: max).map(AnswerEvent.init) }
}

extension WhimbrelCore.RoutedAnswer: PulledAnswer {
    func pull(max: UInt32) async throws -> [AssistantEvent] { try await next(max: max) }
}

/// A stream that begins an answer when it is first read, and pulls.
func answerStream<Answer: PulledAnswer>(
    _ begin: @escaping @Sendable () async throws -> Answer
) -> AsyncThrowingStream<Answer.Event, any Error> {
    let reader = AnswerReader(begin)
    return AsyncThrowingStream { try await reader.next() }
}

/// The events of one answer, one by one. When nobody holds it any more, nobody holds the answer, which cancels it.
private actor AnswerReader<Answer: PulledAnswer> {
    private let begin: @Sendable () async throws -> Answer
    private var answer: Answer?
    private var waiting: [Answer.Event] = []

    init(_ begin: @escaping @Sendable () async throws -> Answer) { self.begin = begin }

    func next() async throws(WhimbrelError) -> Answer.Event? {
        if waiting.isEmpty {
            let answer = try await begun()
            // Cancelling a task does not reach the core by itself.
            let events = try await withTaskCancellationHandler {
                await pulled(answer)
            } onCancel: {
                answer.cancel()
            }.get()
            waiting = events.reversed()
        }
        return Task.isCancelled ? nil : waiting.popLast()
    }

    private func begun() async throws(WhimbrelError) -> Answer {
        if let answer { return answer }
        let answer = try await translated(begin)
        self.answer = answer
        return answer
    }

    private func pulled(_ answer: Answer) async -> Result<[Answer.Event], WhimbrelError> {
        do {
            return .success(try await translated { try await answer.pull(max: eventsPerCall) })
        } catch {
            return .failure(error)
        }
    }
}
