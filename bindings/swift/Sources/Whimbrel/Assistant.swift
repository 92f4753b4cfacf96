internal import WhimbrelCore

/// What an assistant is opened with.
public struct AssistantOptions: Sendable {
    /// The file of the ledger, which is made when it is not there. Its folder must exist.
    public var store: String
    /// Where keys are kept. One vault belongs to one ledger.
    public var vault: any KeyVault
    /// The app's rules.
    public var appPolicy: PolicyDocument
    /// The user's rules, which can only tighten the app's.
    public var userPolicy: PolicyDocument?
    /// Words to redact besides what is recognised.
    public var userWords: [String]

    /// Takes every value; those with a default can be left out.
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

/// Takes questions, decides under rules where each is answered, redacts what may only leave redacted, and writes a
/// receipt for everything. Nothing here blocks its caller.
public final class Assistant: Sendable {
    private let core: WhimbrelCore.Assistant

    /// Opens the ledger and reads the rules. Receipts that a process left open are closed as interrupted. Fails with
    /// `policy`, `ledger` or `vault`.
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
    }

    /// Starts a conversation.
    public func conversation(_ options: ConversationOptions = ConversationOptions()) throws -> Conversation {
        Conversation(core.conversation(options: try options.toCore()))
    }

    /// Answers messages that belong to no conversation; the last one is the question. As with `Conversation.ask`,
    /// reading the stream asks.
    public func answer(
        _ messages: [Message],
        options: AskOptions = AskOptions()
    ) -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core] in
            try core.answer(messages: messages.map { $0.toCore() }, options: options.toCore())
        }
    }

    /// The model of this device that answers from the next question on; `nil` takes it away.
    public func setModel(_ model: LanguageModel?) { core.setModel(model: model?.core) }

    /// The system's model, as the app reaches it; `nil` takes it away.
    public func setSystemModel(_ model: (any SystemModel)?) {
        core.setSystemModel(model: model.map(ForeignSystemModel.init))
    }

    /// Tells the system's model, if there is one, that a question may come soon.
    public func prewarmSystemModel() { core.prewarmSystemModel() }

    /// Takes in what the app knows about the device now.
    public func updateDevice(_ update: DeviceUpdate) throws { core.updateDevice(update: try update.toCore()) }

    /// Puts other rules in force, from the next question on. After a `policy` error the rules are as they were.
    public func setPolicies(app: PolicyDocument, user: PolicyDocument? = nil) throws {
        try translated { try core.setPolicies(app: app.toCore(), user: user?.toCore()) }
    }

    /// Puts other rules of the user's in force, which can only tighten the app's. After a `policy` error the rules are
    /// as they were.
    public func setUserPolicy(_ user: PolicyDocument?) throws {
        try translated { try core.setUserPolicy(user: user?.toCore()) }
    }

    /// Words to redact besides what is recognised, from the next question on.
    public func setUserWords(_ words: [String]) throws {
        try translated { try core.setUserWords(words: words) }
    }

    /// What the app knows about an endpoint of the policy besides what stands there.
    public func setEndpoint(_ endpointID: String, _ extras: EndpointExtras) throws {
        try translated { try core.setEndpoint(endpointId: endpointID, extras: extras.toCore()) }
    }

    /// Keeps the key of an endpoint of the policy in the vault, or forgets it. A key for an endpoint that the policy does not have is refused.
    public func setKey(_ key: String?, for endpointID: String) async throws {
        try await translated { try await core.setKey(endpointId: endpointID, key: key) }
    }

    /// Takes in what the user thought of an answer: it is kept beside the receipt, and the choice of places learns from
    /// it.
    public func feedback(_ receipt: Int, _ signal: Signal) async throws {
        let (receipt, signal): (UInt64, _) = (try coreNumber(receipt, "receipt"), try signal.toCore())
        try await translated { try await core.feedback(receipt: receipt, signal: signal) }
    }

    /// Whether feedback is learned from and used.
    public func learning() -> LearningMode { core.learning().toPublic() }

    /// Switches learning on, freezes it, or switches it off.
    public func setLearning(_ mode: LearningMode) async throws {
        try await translated { try await core.setLearning(mode: mode.toCore()) }
    }

    /// Forgets everything that was learned.
    public func resetLearning() async throws {
        try await translated { try await core.resetLearning() }
    }

    /// A text with its findings replaced: what an endpoint would get that may only get redacted text.
    public func redact(_ text: String) async throws -> RedactedText {
        try await translated { try await core.redact(text: text) }.toPublic()
    }

    /// A page of receipts, the newest first; at most 1,000.
    public func receipts(_ filter: ReceiptFilter = ReceiptFilter(), max: Int = 100) async throws -> [Receipt] {
        let (filter, max): (_, UInt32) = (try filter.toCore(), try coreNumber(max, "max"))
        let receipts = try await translated { try await core.receipts(filter: filter, receiptsMax: max) }
        return receipts.map { $0.toPublic() }
    }

    /// One receipt. Fails with `ledger` when there is none of this number, or it was pruned.
    public func receipt(_ id: Int) async throws -> Receipt {
        let id: UInt64 = try coreNumber(id, "id")
        return try await translated { try await core.receipt(id: id) }.toPublic()
    }

    /// Looks whether the ledger is as it was written. What is wrong with it is in the report.
    public func verifyLedger() async throws -> LedgerReport {
        try await translated { try await core.verifyLedger() }.toPublic()
    }

    /// Writes the ledger to a new file, which only its owner can read, as lines of JSON that `whimbrel ledger verify`
    /// checks.
    public func exportLedger(to path: String) async throws {
        try await translated { try await core.exportLedger(path: path) }
    }

    /// What the receipts between two times come to, in milliseconds since 1970; all of them without limits.
    public func stats(host: Host = .phone, fromMs: Int? = nil, untilMs: Int? = nil) async throws -> LedgerStats {
        let from: UInt64? = try fromMs.map { try coreNumber($0, "fromMs") }
        let until: UInt64? = try untilMs.map { try coreNumber($0, "untilMs") }
        let host = host.toCore()
        return try await translated { try await core.stats(fromMs: from, untilMs: until, host: host) }.toPublic()
    }

    /// Removes old receipts. What is left can still be verified, from the checkpoint on that is returned; `nil` when
    /// nothing was removed. Fails with `invalidOption` when `prune` does not say what to remove.
    public func pruneLedger(_ prune: Prune) async throws -> Checkpoint? {
        let prune = try prune.toCore()
        return try await translated { try await core.pruneLedger(prune: prune) }?.toPublic()
    }

    /// Whether the vault did not take the end of the ledger with the last entries: until it does, the newest of them
    /// can be taken away unnoticed.
    public func isLedgerFloorBehind() async throws -> Bool {
        try await translated { try await core.isLedgerFloorBehind() }
    }

    /// Begins a new, empty ledger at `path` where the old one cannot be opened any more because its vault is gone:
    /// opening then fails with `ledger` and the problem `foreign`. The old file is kept under another name, which is
    /// returned when there was one. No assistant may have the ledger open.
    public static func restartLedger(_ path: String, vault: any KeyVault) async throws -> String? {
        try await translated { try await WhimbrelCore.restartLedger(path: path, vault: ForeignVault(vault)) }
    }

    /// Cancels its answers and lets go of the ledger; its conversations take no more questions. Returns at once; safe
    /// to call again.
    public func close() { core.release() }

    /// Like `close`, and waits until the ledger is closed and may be opened again. Safe to call again.
    public func shutdown() async { await core.shutdown() }
}

extension Preset {
    /// Its text, TOML.
    public var text: String { presetText(preset: toCore()) }
}
