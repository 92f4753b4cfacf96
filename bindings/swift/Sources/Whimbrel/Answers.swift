internal import WhimbrelCore

// The stream of an answer, and what can be made of it.

extension AsyncThrowingStream where Element == Event, Failure == any Error {
    /// Only the text, piece by piece. Under a policy an answer may restart at another place (`Event.restarted`), and with
    /// tools after a call; use `textSoFar` to display such an answer.
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
            case .started, .reading, .thinking, .call, .finished: continue
            }
            return text
        }
        return nil
    }
}

/// Maximum number of events per call into the core. A call costs about the same for one event as for many.
private let eventsPerCall: UInt32 = 64

/// A stream that starts an answer when it is first read, pulls its events, and runs the functions that it calls.
func answerStream(
    _ begin: @escaping @Sendable () throws -> (Answer, Tools?)
) -> AsyncThrowingStream<Event, any Error> {
    let reader = AnswerReader(begin)
    return AsyncThrowingStream { try await reader.next() }
}

/// The same for what has no tools.
func answerStream(_ begin: @escaping @Sendable () throws -> Answer) -> AsyncThrowingStream<Event, any Error> {
    answerStream { (try begin(), nil) }
}

/// The events of one answer, one by one. When nothing refers to this object any more, the answer is released and
/// thereby cancelled.
private actor AnswerReader {
    private let begin: @Sendable () throws -> (Answer, Tools?)
    private var begun: (answer: Answer, tools: Tools?)?
    private var waiting: [Event] = []
    /// The call whose event was read last. Its function runs while the next event is waited for.
    private var call: PendingCall?

    init(_ begin: @escaping @Sendable () throws -> (Answer, Tools?)) { self.begin = begin }

    func next() async throws -> Event? {
        if waiting.isEmpty {
            let (answer, tools) = try started()
            let call = call
            self.call = nil
            // Cancelling a task does not reach the core by itself.
            let events = try await withTaskCancellationHandler {
                try await translated { try await Self.events(of: answer, running: call, tools) }
            } onCancel: {
                answer.cancel()
            }
            waiting = events.reversed().map { $0.toPublic() }
        }
        guard !Task.isCancelled else {
            begun?.answer.cancel()
            return nil
        }
        let event = waiting.popLast()
        // What is behind a call was said after its time was over.
        if case .call(let call) = event, waiting.isEmpty { self.call = call }
        return event
    }

    /// The next events. If a call waits for its function, they come when it has a result, or its time is over: then the
    /// function is cancelled. It has ended in any case when they are returned.
    private static func events(
        of answer: Answer,
        running call: PendingCall?,
        _ tools: Tools?
    ) async throws -> [WhimbrelCore.Event] {
        guard let call, let tools else { return try await answer.next(max: eventsPerCall) }
        async let _ = tools.carryOut(call, for: answer)
        return try await answer.next(max: eventsPerCall)
    }

    private func started() throws -> (Answer, Tools?) {
        if let begun { return begun }
        let begun = try translated(begin)
        self.begun = begun
        return begun
    }
}
