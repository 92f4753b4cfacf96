import Foundation
internal import WhimbrelCore

// Answers that become values of a type.

/// A value while it is written.
public struct Snapshot<Value: Sendable>: Sendable {
    /// What is there so far, as JSON. It only grows, until another place answers from the beginning.
    public let json: String
    /// The same as a value; `nil` while something is missing that the type requires. That may happen again later, when an
    /// optional part has begun.
    public let value: Value?
    /// Whether this is the whole value.
    public let isComplete: Bool
}

extension Snapshot: Equatable where Value: Equatable {}

extension Conversation {
    /// Asks a question whose answer is a value: it is held to the schema of the type. A model does not read its form, so
    /// the question should say what is wanted; `Schema.fields` lists the fields. Cancelling the task cancels the answer,
    /// and this then fails with `CancellationError`.
    ///
    /// Otherwise it fails with a `WhimbrelError`: `unsupportedType` if the type has no schema (nothing was asked then),
    /// `noAnswer` if there is no whole answer, with the report that says why, `valueRefused` if the answer cannot be
    /// decoded, `invalidOption` if the options have a form too, and as `ask`.
    public func respond<Value: Respondable>(
        to question: String,
        as type: Value.Type = Value.self,
        options: AskOptions = AskOptions()
    ) async throws -> Value {
        try await ask(question, options: options.inForm(of: type)).value(of: type)
    }

    /// As `respond`, with what is there so far while the answer is made. The last snapshot has the whole value. A slow
    /// reader gets every snapshot: the answer waits for it. Cancelling the task that reads ends the stream.
    public func snapshots<Value: Respondable>(
        to question: String,
        as type: Value.Type = Value.self,
        options: AskOptions = AskOptions()
    ) -> AsyncThrowingStream<Snapshot<Value>, any Error> {
        let reader = SnapshotReader<Value> { try self.ask(question, options: options.inForm(of: type)) }
        return AsyncThrowingStream { try await reader.next() }
    }
}

extension AsyncThrowingStream where Element == Event, Failure == any Error {
    /// The value of an answer that was held to the schema of the type, such as that of a task:
    /// `model.task(try Tasks.fill(.of(Person.self)), text).value(of: Person.self)`. It fails as `respond` does.
    public func value<Value: Respondable>(of type: Value.Type = Value.self) async throws -> Value {
        var text = ""
        for try await event in self {
            switch event {
            case .text(let piece): text += piece
            case .restarted: text = ""
            case .finished(let report): return try whole(text, report)
            case .started, .reading, .thinking, .call: continue
            }
        }
        // Only the stream of a cancelled task ends without its last event.
        throw CancellationError()
    }

    /// The snapshots of an answer that was held to the schema of the type. The stream fails as `respond` does.
    public func snapshots<Value: Respondable>(
        of type: Value.Type = Value.self
    ) -> AsyncThrowingStream<Snapshot<Value>, any Error> {
        let reader = SnapshotReader<Value> { self }
        return AsyncThrowingStream<Snapshot<Value>, any Error> { try await reader.next() }
    }
}

/// The snapshots of a stream of events.
private actor SnapshotReader<Value: Respondable> {
    private let begin: @Sendable () throws -> AsyncThrowingStream<Event, any Error>
    private var begun: AsyncThrowingStream<Event, any Error>?
    private var text = ""
    private var partial = PartialJson()

    init(_ begin: @escaping @Sendable () throws -> AsyncThrowingStream<Event, any Error>) { self.begin = begin }

    func next() async throws -> Snapshot<Value>? {
        let events = try begun ?? begin()
        begun = events
        // All iterators of such a stream take from the same place.
        for try await event in events {
            switch event {
            case .text(let piece):
                text += piece
                guard let json = partial.push(piece: piece) else { continue }
                return Snapshot(json: json, value: try? decoded(json), isComplete: false)
            case .restarted:
                text = ""
                partial = PartialJson()
            case .finished(let report):
                return Snapshot(json: text, value: try whole(text, report), isComplete: true)
            case .started, .reading, .thinking, .call: continue
            }
        }
        return nil
    }
}

extension AskOptions {
    /// The same for answers that are values.
    fileprivate func inForm<Value: Respondable>(of type: Value.Type) throws -> AskOptions {
        guard generation.form == nil else {
            throw WhimbrelError.invalidOption("form", expected: "absent: the type has its own", found: "another form")
        }
        var options = self
        options.generation.form = try Schema.of(type).form
        return options
    }
}

private func whole<Value: Respondable>(_ json: String, _ report: Report) throws -> Value {
    guard report.outcome == .answered else { throw WhimbrelError.noAnswer(report: report) }
    // Without the decoder's own error, which quotes the answer.
    do { return try decoded(json) } catch { throw WhimbrelError.valueRefused(type: "\(Value.self)") }
}

func decoded<Value: Respondable>(_ json: String) throws -> Value {
    try JSONDecoder().decode(Value.self, from: Data(json.utf8))
}
