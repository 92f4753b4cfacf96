import Foundation
internal import WhimbrelCore

/// A request to a system model.
public struct SystemRequest: Sendable {
    /// The messages, oldest first; the last one is the question.
    public let messages: [Message]
    /// Maximum length of the answer in tokens.
    public let maxTokens: Int
    /// 0 always takes the most likely token; `nil` leaves it to the model.
    public let temperature: Float?
}

/// Thrown by a system model, from its functions or in its streams.
public struct SystemModelFailure: Error, Sendable, Equatable {
    /// The reason for the failure.
    public let failure: SystemFailure

    public init(_ failure: SystemFailure) { self.failure = failure }
}

/// A model that the app provides: the system's own (Apple's foundation model), or one that runs on an accelerator.
public protocol SystemModel: Sendable {
    /// The model's current capabilities. Called before every decision, from any thread, so it must answer from cached
    /// values.
    func capabilities() throws -> SystemCapabilities

    /// Prepares the model for a question. This is only a hint.
    func prewarm() throws

    /// The answer, piece by piece. The stream is read once, and released when the answer is no longer needed. A
    /// `SystemModelFailure` in it gives the reason for a failure; any other error counts as `failed`.
    func answer(_ request: SystemRequest) throws -> AsyncThrowingStream<String, any Error>
}

extension SystemModel {
    public func prewarm() throws {}
}

/// An app's system model, as the core sees it: every call starts or stops a task and returns.
final class ForeignSystemModel: WhimbrelCore.SystemModel, @unchecked Sendable {
    private let model: any SystemModel
    private let lock = NSLock()
    private var answers: [UInt64: Task<Void, Never>] = [:]

    init(_ model: any SystemModel) { self.model = model }

    func capabilities() throws -> WhimbrelCore.SystemCapabilities {
        try answered { try model.capabilities().toCore() }
    }

    func prewarm() throws { try answered { try model.prewarm() } }

    func start(request: WhimbrelCore.SystemRequest, answer: SystemAnswer) throws {
        let asked = SystemRequest(
            messages: request.messages.map { $0.toPublic() },
            maxTokens: Int(request.maxTokens),
            temperature: request.temperature
        )
        let stream = try answered { try model.answer(asked) }
        // Under the lock: the task takes itself out only after it was put in.
        lock.withLock {
            answers[request.id] = Task {
                await Self.give(stream, to: answer)
                _ = self.lock.withLock { self.answers.removeValue(forKey: request.id) }
            }
        }
    }

    func cancel(id: UInt64) throws { lock.withLock { answers[id] }?.cancel() }

    /// Releasing the answer without a final call is a failure: nobody waits for an answer that was cancelled.
    private static func give(_ stream: AsyncThrowingStream<String, any Error>, to answer: SystemAnswer) async {
        do {
            for try await piece in stream where !answer.text(piece: piece) { return }
            // What it counted is not known.
            if !Task.isCancelled { answer.finish(inputTokens: 0, outputTokens: 0) }
        } catch let error as SystemModelFailure {
            answer.fail(failure: error.failure.toCore())
        } catch {
            answer.fail(failure: .failed)
        }
    }

    private func answered<Value>(_ call: () throws -> Value) throws -> Value {
        do { return try call() } catch let error as SystemModelFailure {
            throw WhimbrelCore.SystemModelError.NoAnswer(failure: error.failure.toCore())
        }
    }
}
