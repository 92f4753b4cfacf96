internal import WhimbrelCore

/// Maximum number of events per call into the core.
private let eventsPerCall: UInt32 = 64

/// The queued questions of an `Assistant`. A question is queued where the policy says `queue`, in a conversation that is
/// kept; `Report.queued` is its number, and it is on the disk then. It stays there until it is answered, expired or
/// cancelled. Calls for a question that does not exist fail with `notFound`, also if it was just answered, and those for
/// a question that is being sent with `outbox` and the problem `sending`.
public final class Outbox: Sendable {
    private let core: WhimbrelCore.Outbox

    init(_ core: WhimbrelCore.Outbox) { self.core = core }

    /// What happens to queued questions while the stream is read. It begins with `OutboxEvent.missed`, and a reader that
    /// is too slow gets that too: `list` then says how everything is. Ends when the assistant is closed.
    public var events: AsyncThrowingStream<OutboxEvent, any Error> {
        let reader = OutboxReader(core)
        return AsyncThrowingStream { try await reader.next() }
    }

    /// The queued questions, in the order of their numbers.
    public func list() async throws -> [QueuedQuestion] {
        try await translated { try await core.list() }.map { $0.toPublic() }
    }

    /// Sends what is due, and waits until nothing more can be sent now or the budget is used up. For a task of the
    /// system, such as BGTaskScheduler's. Report the device's state before it: `Assistant.updateDevice`.
    public func runDue(_ budget: RunBudget = RunBudget()) async throws -> OutboxRun {
        let budget = try budget.toCore()
        return try await translated { try await core.runDue(budget: budget) }.toPublic()
    }

    /// Sends what is due from now on, as long as the assistant is open. Returns when that has begun.
    public func start() async throws { try await translated { try await core.start() } }

    /// From which age on a question waits until the user confirms it: see `QueueState.needsConfirmation` and `confirm`.
    /// `nil`, the default, sends it however old it is. It holds as long as the assistant is open.
    public func setConfirmAfter(_ age: Duration?) async throws {
        let ageMs = try age.map { try coreMilliseconds($0, "age") as UInt64 }
        try await translated { try await core.setConfirmAfter(ageMs: ageMs) }
    }

    /// Allows a question to be sent although it is old.
    public func confirm(_ id: Int) async throws {
        let id: UInt64 = try coreNumber(id, "id")
        try await translated { try await core.confirm(id: id) }
    }

    /// Sends a question as soon as its turn comes, whatever it was waiting for.
    public func retry(_ id: Int) async throws {
        let id: UInt64 = try coreNumber(id, "id")
        try await translated { try await core.retry(id: id) }
    }

    /// Removes a question. It leaves nothing in its conversation.
    public func cancel(_ id: Int) async throws {
        let id: UInt64 = try coreNumber(id, "id")
        try await translated { try await core.cancel(id: id) }
    }

    /// Changes the priority of a question's conversation.
    public func prioritise(_ id: Int, _ priority: QueuePriority) async throws {
        let id: UInt64 = try coreNumber(id, "id")
        try await translated { try await core.prioritise(id: id, priority: priority.toCore()) }
    }

    /// Replaces the text of a question. To an endpoint it is another one.
    public func edit(_ id: Int, _ text: String) async throws {
        let id: UInt64 = try coreNumber(id, "id")
        try await translated { try await core.edit(id: id, text: text) }
    }
}

/// The events, one by one.
private actor OutboxReader {
    private let outbox: WhimbrelCore.Outbox
    private var begun: WhimbrelCore.OutboxEvents?
    private var waiting: [OutboxEvent] = []

    init(_ outbox: WhimbrelCore.Outbox) { self.outbox = outbox }

    func next() async throws -> OutboxEvent? {
        let events = try begun ?? translated { try outbox.events() }
        begun = events
        if waiting.isEmpty {
            // Cancelling a task does not reach the core by itself.
            waiting = await withTaskCancellationHandler {
                await events.next(max: eventsPerCall)
            } onCancel: {
                events.cancel()
            }.reversed().map { $0.toPublic() }
        }
        return Task.isCancelled ? nil : waiting.popLast()
    }
}
