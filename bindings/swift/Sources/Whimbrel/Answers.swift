internal import WhimbrelCore

// The stream of an answer, and what can be made of it.

extension AsyncThrowingStream where Element == Event, Failure == any Error {
    /// Only the text, piece by piece. Under a policy an answer may restart at another place (`Event.restarted`); use
    /// `textSoFar` to display such an answer.
    public func text() -> AsyncThrowingStream<String, any Error> {
        let reader = TextReader(self)
        return AsyncThrowingStream<String, any Error> { try await reader.next() }
    }

    /// The whole text so far, after each piece. It becomes empty when another place answers from the beginning.
    public func textSoFar() -> AsyncThrowingStream<String, any Error> {
        let reader = TextReader(self)
        return AsyncThrowingStream<String, any Error> { try await reader.nextSoFar() }
    }
}

/// The text of a stream of events.
private actor TextReader {
    private let events: AsyncThrowingStream<Event, any Error>
    private var text = ""

    init(_ events: AsyncThrowingStream<Event, any Error>) { self.events = events }

    func next() async throws -> String? {
        // All iterators of such a stream take from the same place.
        for try await event in events {
            if case .text(let piece) = event { return piece }
        }
        return nil
    }

    func nextSoFar() async throws -> String? {
        for try await event in events {
            switch event {
            case .text(let piece): text += piece
            case .restarted: text = ""
            case .started, .reading, .thinking, .finished: continue
            }
            return text
        }
        return nil
    }
}

/// Maximum number of events per call into the core. A call costs about the same for one event as for many.
private let eventsPerCall: UInt32 = 64

/// A stream that starts an answer when it is first read, and pulls its events.
func answerStream(_ begin: @escaping @Sendable () throws -> Answer) -> AsyncThrowingStream<Event, any Error> {
    let reader = AnswerReader(begin)
    return AsyncThrowingStream { try await reader.next() }
}

/// The events of one answer, one by one. When nothing refers to this object any more, the answer is released and
/// thereby cancelled.
private actor AnswerReader {
    private let begin: @Sendable () throws -> Answer
    private var answer: Answer?
    private var waiting: [Event] = []

    init(_ begin: @escaping @Sendable () throws -> Answer) { self.begin = begin }

    func next() async throws -> Event? {
        if waiting.isEmpty {
            let answer = try begun()
            // Cancelling a task does not reach the core by itself.
            let events = try await withTaskCancellationHandler {
                try await translated { try await answer.next(max: eventsPerCall) }
            } onCancel: {
                answer.cancel()
            }
            waiting = events.reversed().map { $0.toPublic() }
        }
        guard !Task.isCancelled else {
            answer?.cancel()
            return nil
        }
        return waiting.popLast()
    }

    private func begun() throws -> Answer {
        if let answer { return answer }
        let answer = try translated(begin)
        self.answer = answer
        return answer
    }
}
