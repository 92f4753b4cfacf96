internal import WhimbrelCore

/// Options for opening an assistant.
public struct AssistantOptions: Sendable {
    /// The path of the store: one file with the ledger, kept conversations and queued questions. The file is created if
    /// it does not exist; its folder must exist.
    public var store: String
    /// The vault that stores keys. Each store needs its own vault.
    public var vault: any KeyVault
    /// The app's policy.
    public var appPolicy: PolicyDocument
    /// The user's policy, which can only make the app's stricter.
    public var userPolicy: PolicyDocument?
    /// Words to redact in addition to what is recognised.
    public var userWords: [String]

    /// Takes every value. Values with a default can be left out.
    public init(
        store: String,
        vault: any KeyVault,
        appPolicy: PolicyDocument,
        userPolicy: PolicyDocument? = nil,
        userWords: [String] = []
    ) {
        self.store = store
        self.vault = vault
        self.appPolicy = appPolicy
        self.userPolicy = userPolicy
        self.userWords = userWords
    }
}

/// Takes questions, decides under a policy where each one is answered, redacts text that may only leave redacted, and
/// writes a receipt for every request. No function blocks its caller.
public final class Assistant: Sendable {
    private let core: WhimbrelCore.Assistant

    /// The conversations that are kept beside the ledger.
    public let conversations: Conversations

    /// The questions that wait until they can be answered.
    public let outbox: Outbox

    /// What is kept only to save time.
    public let caches: Caches

    /// Opens the ledger and reads the policies. Receipts that an earlier process left unfinished are closed as
    /// interrupted. Fails with `policy`, `ledger` or `vault`.
    public init(_ options: AssistantOptions) async throws {
        core = try await translated {
            try await WhimbrelCore.Assistant.open(
                options: WhimbrelCore.AssistantOptions(
                    store: options.store,
                    vault: ForeignVault(options.vault),
                    appPolicy: options.appPolicy.toCore(),
                    userPolicy: options.userPolicy?.toCore(),
                    userWords: options.userWords
                )
            )
        }
        conversations = Conversations(core.conversations())
        outbox = Outbox(core.outbox())
        caches = Caches(core.caches())
    }

    /// Starts a conversation that is not kept. For one that is, see `Conversations.create`.
    public func conversation(_ options: ConversationOptions = ConversationOptions()) throws -> Conversation {
        Conversation(try translated { try core.conversation(options: options.toCore()) })
    }

    /// Answers a question outside any conversation. The last message is the question. As with `Conversation.ask`,
    /// reading the stream asks, and `tools` carry out calls. A call of any other tool ends when its time is over.
    public func answer(
        _ messages: [Message],
        options: AskOptions = AskOptions(),
        tools: Tools? = nil
    ) -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core] in
            let options = try options.with(tools).toCore()
            return (try core.answer(messages: messages.map { try $0.toCore() }, options: options), tools)
        }
    }

    /// Does a task with a text. As with `Conversation.ask`, reading the stream asks.
    public func task(
        _ task: TextTask,
        _ text: String,
        options: TaskOptions = TaskOptions()
    ) -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core] in try core.task(task: task.core, text: text, options: options.toCore()) }
    }

    /// Sets the model on this device that answers from the next question on; `nil` removes it.
    public func setModel(_ model: LanguageModel?) { core.setModel(model: model?.core) }

    /// Sets the system's model that the app provides; `nil` removes it.
    public func setSystemModel(_ model: (any SystemModel)?) {
        core.setSystemModel(model: model.map(ForeignSystemModel.init))
    }

    /// Tells the system's model, if one is set, to prepare for a question.
    public func prewarmSystemModel() { core.prewarmSystemModel() }

    /// Reports the current state of the device.
    public func updateDevice(_ update: DeviceUpdate) throws { core.updateDevice(update: try update.toCore()) }

    /// Replaces both policies from the next question on. After a `policy` error the previous policies stay in force.
    public func setPolicies(app: PolicyDocument, user: PolicyDocument? = nil) throws {
        try translated { try core.setPolicies(app: app.toCore(), user: user?.toCore()) }
    }

    /// Replaces the user's policy, which can only make the app's stricter. After a `policy` error the previous policies
    /// stay in force.
    public func setUserPolicy(_ user: PolicyDocument?) throws {
        try translated { try core.setUserPolicy(user: user?.toCore()) }
    }

    /// Sets words to redact in addition to what is recognised, from the next question on.
    public func setUserWords(_ words: [String]) throws {
        try translated { try core.setUserWords(words: words) }
    }

    /// Sets connection settings of an endpoint that are not part of the policy.
    public func setEndpoint(_ endpointID: String, _ extras: EndpointExtras) throws {
        try translated { try core.setEndpoint(endpointId: endpointID, extras: extras.toCore()) }
    }

    /// Keeps the key of an endpoint of the policy in the vault, or forgets it. A key for an endpoint that the policy does not have is refused.
    public func setKey(_ key: String?, for endpointID: String) async throws {
        try await translated { try await core.setKey(endpointId: endpointID, key: key) }
    }

    /// Records the user's feedback on an answer. It is stored beside the receipt, and the choice of places learns from
    /// it.
    public func feedback(_ receipt: Int, _ signal: Signal) async throws {
        let (receipt, signal): (UInt64, _) = (try coreNumber(receipt, "receipt"), try signal.toCore())
        try await translated { try await core.feedback(receipt: receipt, signal: signal) }
    }

    /// Whether the assistant learns from feedback and uses what it learned.
    public func learning() -> LearningMode { core.learning().toPublic() }

    /// Switches learning on or off, or freezes it.
    public func setLearning(_ mode: LearningMode) async throws {
        try await translated { try await core.setLearning(mode: mode.toCore()) }
    }

    /// Deletes everything that was learned.
    public func resetLearning() async throws {
        try await translated { try await core.resetLearning() }
    }

    /// Redacts a text as it would be redacted for an endpoint.
    public func redact(_ text: String) async throws -> RedactedText {
        try await translated { try await core.redact(text: text) }.toPublic()
    }

    /// A page of receipts, newest first; at most 1,000.
    public func receipts(_ filter: ReceiptFilter = ReceiptFilter(), max: Int = 100) async throws -> [Receipt] {
        let (filter, max): (_, UInt32) = (try filter.toCore(), try coreNumber(max, "max"))
        let receipts = try await translated { try await core.receipts(filter: filter, receiptsMax: max) }
        return receipts.map { $0.toPublic() }
    }

    /// One receipt. Fails with `ledger` if there is no receipt with this number, or it was pruned.
    public func receipt(_ id: Int) async throws -> Receipt {
        let id: UInt64 = try coreNumber(id, "id")
        return try await translated { try await core.receipt(id: id) }.toPublic()
    }

    /// Checks whether the ledger is unchanged. Problems are in the report, not thrown.
    public func verifyLedger() async throws -> LedgerReport {
        try await translated { try await core.verifyLedger() }.toPublic()
    }

    /// Exports the ledger to a new file as lines of JSON, which `whimbrel ledger verify` can check. Only the file's
    /// owner can read it.
    public func exportLedger(to path: String) async throws {
        try await translated { try await core.exportLedger(path: path) }
    }

    /// The totals of the receipts between two times, in milliseconds since 1970; without limits, of all receipts.
    public func stats(host: Host = .phone, fromMs: Int? = nil, untilMs: Int? = nil) async throws -> LedgerStats {
        let from: UInt64? = try fromMs.map { try coreNumber($0, "fromMs") }
        let until: UInt64? = try untilMs.map { try coreNumber($0, "untilMs") }
        let host = host.toCore()
        return try await translated { try await core.stats(fromMs: from, untilMs: until, host: host) }.toPublic()
    }

    /// The requests that were in progress when the last process that used this ledger was ended without having closed it: by
    /// a crash, or by a system that needed the memory. Empty after an orderly end.
    public func endings() -> [RequestEnding] {
        core.endings().map { $0.toPublic() }
    }

    /// What requests took: times, tokens, memory and energy, by model and task and by day. Everything is counted on this
    /// device; see `telemetry` for what may leave it.
    public func performance() async throws -> Performance {
        try await translated { try await core.performance() }.toPublic()
    }

    /// The same as a page for people: one HTML text that needs no network. `host` is what the device is called on it.
    public func performancePage(host: Host = .phone) async throws -> String {
        let host = host.toCore()
        return try await translated { try await core.performancePage(host: host) }
    }

    /// The telemetry. It does something where the app's policy has a section `telemetry`.
    public func telemetry() -> Telemetry {
        Telemetry(core.telemetry())
    }

    /// Forgets what requests took, and counts from now on. The ledger keeps its receipts.
    public func resetPerformance() async throws {
        try await translated { try await core.resetPerformance() }
    }

    /// Removes old receipts. The rest can still be verified, starting at the returned checkpoint. Returns `nil` if
    /// nothing was removed. Fails with `invalidOption` if `prune` does not say what to remove.
    public func pruneLedger(_ prune: Prune) async throws -> Checkpoint? {
        let prune = try prune.toCore()
        return try await translated { try await core.pruneLedger(prune: prune) }?.toPublic()
    }

    /// Whether the vault has not yet stored the end of the ledger. Until it has, the newest entries could be removed
    /// unnoticed.
    public func isLedgerFloorBehind() async throws -> Bool {
        try await translated { try await core.isLedgerFloorBehind() }
    }

    /// Starts a new, empty ledger at `path` if the old one can no longer be opened because its vault is gone: opening
    /// then fails with `ledger` and the problem `foreign`. The old file is kept under another name, which is returned
    /// if there was one. No assistant may have the ledger open.
    public static func restartLedger(_ path: String, vault: any KeyVault) async throws -> String? {
        try await translated { try await WhimbrelCore.restartLedger(path: path, vault: ForeignVault(vault)) }
    }

    /// Destroys everything of the store at `path`: first the key, so that nothing can be read from this moment on, then
    /// conversations, queued questions and the ledger. If the process ends in between, the next call finishes, or the
    /// next opening. Secrets of the app, such as the keys of endpoints, stay in the vault. Nobody may have the store
    /// open, otherwise this fails with `ledger` and the problem `in_use`.
    public static func wipe(_ path: String, vault: any KeyVault) async throws {
        try await translated { try await WhimbrelCore.wipeStore(path: path, vault: ForeignVault(vault)) }
    }

    /// Gives up what can no longer be read in the store at `path` because the vault lost its keys (`sealed`, or `vault`
    /// that is invalidated), so that it can be used again. The ledger stays as it is. If its key is lost too, it is put
    /// aside and another one begins; the result is its new path then. If no key is lost, nothing changes. Nobody may
    /// have the store open.
    public static func startEmpty(_ path: String, vault: any KeyVault) async throws -> String? {
        try await translated { try await WhimbrelCore.startStoreEmpty(path: path, vault: ForeignVault(vault)) }
    }

    /// Takes over what the damaged database of the store at `path` still has (`ledger` with the problem `damaged`), and
    /// puts it aside. Nobody may have the store open.
    public static func recover(_ path: String, vault: any KeyVault) async throws -> Recovered {
        try await translated { try await WhimbrelCore.recoverStore(path: path, vault: ForeignVault(vault)) }.toPublic()
    }

    /// Cancels all answers and closes the ledger. Conversations refuse further questions. Returns at once, and may be
    /// called again.
    public func close() { core.release() }

    /// Like `close`, but waits until the ledger is closed and can be opened again. May be called again.
    public func shutdown() async { await core.shutdown() }
}

extension Preset {
    /// The text of the preset, in TOML.
    public var text: String { presetText(preset: toCore()) }
}
