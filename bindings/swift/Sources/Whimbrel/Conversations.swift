internal import WhimbrelCore

/// Conversations that are kept on this device, encrypted: see `Assistant.conversations` and
/// `WhimbrelClient.conversations`. No function blocks its caller. Every call fails with `closed` after the assistant or
/// the store was closed, with `sealed` if the vault lost its keys or a value was changed, with `notFound` for a
/// conversation that does not exist, and with `ledger` if the store cannot be read or written.
public final class Conversations: Sendable {
    private let core: WhimbrelCore.Conversations

    init(_ core: WhimbrelCore.Conversations) { self.core = core }

    /// Yields once at the start, and then whenever titles, messages, or which conversations there are may have changed.
    /// Several changes may count as one. Call `list` at each. Ends when the store is closed.
    public var changes: AsyncThrowingStream<Void, any Error> {
        let reader = ChangesReader(core)
        return AsyncThrowingStream { try await reader.next() }
    }

    /// The same conversations; the model alone answers in those that are opened from now on.
    public func answered(by model: LanguageModel) -> Conversations {
        Conversations(core.answeredBy(model: model.core))
    }

    /// Makes a conversation. An empty title is replaced by the beginning of the first question. If the policy says
    /// `queue`, a question that cannot be answered now waits in the `Outbox`: see `Report.queued`. Fails with `noModel`
    /// if neither a policy nor a model decides: see `answered(by:)`.
    public func create(
        _ title: String = "",
        options: ConversationOptions = ConversationOptions()
    ) async throws -> Conversation {
        let options = try options.toCore()
        return Conversation(try await translated { try await core.create(title: title, options: options) })
    }

    /// Opens a conversation. One that is open already is the same one, and its options stay as they are. A system
    /// message in the options replaces the conversation's; initial messages are ignored.
    public func open(
        _ id: String,
        options: ConversationOptions = ConversationOptions()
    ) async throws -> Conversation {
        let options = try options.toCore()
        return Conversation(try await translated { try await core.open(id: id, options: options) })
    }

    /// A page of the list, at most 1,000: pinned conversations first, then those with the newest messages. The next page
    /// begins `after` the last one of this one.
    public func list(after: ConversationSummary? = nil, max: Int = 100) async throws -> [ConversationSummary] {
        let (after, max): (_, UInt32) = (try after?.toCore(), try coreNumber(max, "max"))
        let page = try await translated { try await core.list(after: after, conversationsMax: max) }
        return page.map { $0.toPublic() }
    }

    /// The id of the newest conversation with exactly this title, or `nil`.
    public func findTitle(_ title: String) async throws -> String? {
        try await translated { try await core.findTitle(title: title) }
    }

    /// A conversation with its messages. It is not opened.
    public func show(_ id: String) async throws -> KeptConversation {
        try await translated { try await core.show(id: id) }.toPublic()
    }

    /// Changes the title.
    public func rename(_ id: String, to title: String) async throws {
        try await translated { try await core.rename(id: id, title: title) }
    }

    /// Puts a conversation before the others, or back among them.
    public func pin(_ id: String, isPinned: Bool = true) async throws {
        try await translated { try await core.pin(id: id, pinned: isPinned) }
    }

    /// Deletes a conversation with its queued questions. Nothing of it stays in a file. If it is open, it is closed.
    public func delete(_ id: String) async throws {
        try await translated { try await core.delete(id: id) }
    }

    /// Deletes old conversations, and returns the ids of those that are gone.
    public func retain(_ retention: Retention) async throws -> [String] {
        let retention = try retention.toCore()
        return try await translated { try await core.retain(retention: retention) }
    }

    /// Finds a text in all titles and messages, regardless of case: the newest hits, at most `max`.
    public func search(_ text: String, max: Int = 100) async throws -> [SearchHit] {
        let max: UInt32 = try coreNumber(max, "max")
        return try await translated { try await core.search(text: text, hitsMax: max) }.map { $0.toPublic() }
    }

    /// Writes conversations as one JSON document to a new file, which only its owner can read: those with these ids, or
    /// all of them. The document is not encrypted.
    public func export(to path: String, ids: [String]? = nil) async throws {
        try await translated { try await core.exportDocument(path: path, ids: ids) }
    }

    /// Adds the conversations of a document that `export` wrote, all of them or none. Those that are here already are
    /// left as they are. Fails with `document` if the document cannot be read.
    public func `import`(from path: String) async throws -> ImportedConversations {
        try await translated { try await core.importDocument(path: path) }.toPublic()
    }

    /// Gives up single values that were damaged; everything around them can be used again. It reads the whole store, so
    /// it is meant for one in which a call failed with `sealed` and the problem `value_changed`.
    public func repair() async throws -> Repaired {
        try await translated { try await core.repair() }.toPublic()
    }

    /// Encrypts everything that is kept with a new data key, and removes the old one from the vault. Everything can be
    /// used meanwhile. If the process ends, the next call goes on where it was.
    public func rotateKey() async throws -> KeyRotation {
        try await translated { try await core.rotateKey() }.toPublic()
    }

    /// Whether `rotateKey` has begun and is not finished.
    public func isRotatingKey() async throws -> Bool {
        try await translated { try await core.isRotatingKey() }
    }

    /// Closes the open conversations and a store that a `WhimbrelClient` opened. Returns at once, and may be called
    /// again. An assistant's store is closed with the assistant.
    public func close() { core.release() }

    /// Like `close`, but waits until answers have ended and the store can be opened again. May be called again.
    public func shutdown() async { await core.shutdown() }
}

/// The changes, one by one.
private actor ChangesReader {
    private let conversations: WhimbrelCore.Conversations
    private var begun: WhimbrelCore.ConversationChanges?

    init(_ conversations: WhimbrelCore.Conversations) { self.conversations = conversations }

    func next() async throws -> Void? {
        let changes = try begun ?? translated { try conversations.changes() }
        begun = changes
        // Cancelling a task does not reach the core by itself.
        let isOpen = await withTaskCancellationHandler {
            await changes.next()
        } onCancel: {
            changes.cancel()
        }
        return isOpen && !Task.isCancelled ? () : nil
    }
}
