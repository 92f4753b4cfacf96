import WhimbrelCore

/// Events that are taken over the boundary in one call: a call costs about the same for one as for many.
private let eventsPerCall: UInt32 = 64

/// A stream that begins an answer when it is first read, and pulls.
func answerStream(
    _ begin: @escaping @Sendable () async throws -> WhimbrelCore.Answer
) -> AsyncThrowingStream<AnswerEvent, any Error> {
    let reader = AnswerReader(begin)
    return AsyncThrowingStream { try await reader.next() }
}

/// The events of one answer, one by one. When nobody holds it any more, nobody holds the answer, which cancels it.
private actor AnswerReader {
    private let begin: @Sendable () async throws -> WhimbrelCore.Answer
    private var answer: WhimbrelCore.Answer?
    private var waiting: [AnswerEvent] = []

    init(_ begin: @escaping @Sendable () async throws -> WhimbrelCore.Answer) { self.begin = begin }

    func next() async throws(WhimbrelError) -> AnswerEvent? {
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

    private func begun() async throws(WhimbrelError) -> WhimbrelCore.Answer {
        if let answer { return answer }
        let answer = try await translated(begin)
        self.answer = answer
        return answer
    }

    private func pulled(_ answer: WhimbrelCore.Answer) async -> Result<[AnswerEvent], WhimbrelError> {
        do {
            return .success(try await translated { try await answer.next(max: eventsPerCall) }.map(AnswerEvent.init))
        } catch {
            return .failure(error)
        }
    }
}
