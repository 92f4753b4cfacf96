import WhimbrelCore

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

/// Takes questions, decides under rules where each is answered, redacts what may only leave redacted, and writes a receipt for
/// everything. Nothing here blocks its caller.
public final class Assistant: Sendable {
    private let core: WhimbrelCore.Assistant

    /// Opens the ledger and reads the rules. Receipts that a process left open are closed as interrupted. Fails with `policy`,
    /// `ledger` or `vault`.
    public init(_ options: AssistantOptions) async throws(WhimbrelError) {
        core = try await translated {
            try await WhimbrelCore.Assistant.open(
                options: WhimbrelCore.AssistantOptions(
                    store: options.store,
                    vault: options.vault,
                    appPolicy: options.appPolicy,
                    userPolicy: options.userPolicy,
                    userWords: options.userWords
                )
            )
        }
    }

    /// Starts a conversation.
    public func conversation(
        _ options: ConversationOptions = ConversationOptions()
    ) throws(WhimbrelError) -> RoutedConversation {
        let options = try options.toCore()
        return RoutedConversation(try translated { try core.conversation(options: options) })
    }

    /// The model of this device that answers from the next question on; `nil` takes it away.
    public func setModel(_ model: LanguageModel?) throws(WhimbrelError) {
        try translated { try core.setModel(model: model?.core) }
    }

    /// The system's model, as the app reaches it; `nil` takes it away.
    public func setSystemModel(_ model: (any SystemModel)?) throws(WhimbrelError) {
        try translated { try core.setSystemModel(model: model.map(ForeignSystemModel.init)) }
    }

    /// Tells the system's model, if there is one, that a question may come soon.
    public func prewarmSystemModel() throws(WhimbrelError) {
        try translated { try core.prewarmSystemModel() }
    }

    /// Takes in what the app knows about the device now.
    public func updateDevice(_ update: DeviceUpdate) throws(WhimbrelError) {
        try translated { try core.updateDevice(update: update) }
    }

    /// Puts other rules in force, from the next question on. After a `policy` error the rules are as they were.
    public func setPolicies(app: PolicyDocument, user: PolicyDocument? = nil) throws(WhimbrelError) {
        try translated { try core.setPolicies(app: app, user: user) }
    }

    /// Puts other rules of the user's in force, which can only tighten the app's. After a `policy` error the rules are as they
    /// were.
    public func setUserPolicy(_ user: PolicyDocument?) throws(WhimbrelError) {
        try translated { try core.setUserPolicy(user: user) }
    }

    /// Words to redact besides what is recognised, from the next question on.
    public func setUserWords(_ words: [String]) throws(WhimbrelError) {
        try translated { try core.setUserWords(words: words) }
    }

    /// What the app knows about an endpoint of the policy besides what stands there.
    public func setEndpoint(_ endpointID: String, _ extras: EndpointExtras) throws(WhimbrelError) {
        try translated { try core.setEndpoint(endpointId: endpointID, extras: extras) }
    }

    /// Keeps the key of an endpoint in the vault, or forgets it.
    public func setKey(_ key: String?, for endpointID: String) async throws(WhimbrelError) {
        try await translated { try await core.setKey(endpointId: endpointID, key: key) }
    }

    /// Takes in what the user thought of an answer: it is kept beside the receipt, and the choice of places learns from it.
    public func feedback(_ receipt: UInt64, _ signal: Signal) async throws(WhimbrelError) {
        try await translated { try await core.feedback(receipt: receipt, signal: signal) }
    }

    /// Whether feedback is learned from and used.
    public func learning() throws(WhimbrelError) -> LearningMode { try translated { try core.learning() } }

    /// Switches learning on, freezes it, or switches it off.
    public func setLearning(_ mode: LearningMode) async throws(WhimbrelError) {
        try await translated { try await core.setLearning(mode: mode) }
    }

    /// Forgets everything that was learned.
    public func resetLearning() async throws(WhimbrelError) {
        try await translated { try await core.resetLearning() }
    }

    /// A text with its findings replaced: what an endpoint would get that may only get redacted text.
    public func redact(_ text: String) async throws(WhimbrelError) -> RedactedText {
        try await translated { try await core.redact(text: text) }
    }

    /// A page of receipts, the newest first; at most 1,000.
    public func receipts(
        _ filter: ReceiptFilter = ReceiptFilter(),
        max: Int = 100
    ) async throws(WhimbrelError) -> [Receipt] {
        let max = try unsigned(max, "max")
        return try await translated { try await core.receipts(filter: filter, receiptsMax: max) }
    }

    /// One receipt. Fails with `ledger` when there is none of this number, or it was pruned.
    public func receipt(_ id: UInt64) async throws(WhimbrelError) -> Receipt {
        try await translated { try await core.receipt(id: id) }
    }

    /// Looks whether the ledger is as it was written. What is wrong with it is in the report.
    public func verifyLedger() async throws(WhimbrelError) -> LedgerReport {
        try await translated { try await core.verifyLedger() }
    }

    /// Writes the ledger to a new file, which only its owner can read, as lines of JSON that `whimbrel ledger verify` checks.
    public func exportLedger(to path: String) async throws(WhimbrelError) {
        try await translated { try await core.exportLedger(path: path) }
    }

    /// What the receipts between two times come to, in milliseconds since 1970; all of them without limits.
    public func stats(
        host: Host = .phone,
        fromMs: UInt64? = nil,
        untilMs: UInt64? = nil
    ) async throws(WhimbrelError) -> LedgerStats {
        try await translated { try await core.stats(fromMs: fromMs, untilMs: untilMs, host: host) }
    }

    /// Cancels its answers and closes it with its conversations. Returns at once; safe to call again.
    public func close() { core.release() }

    /// Like `close`, and waits until the ledger is closed and may be opened again. Safe to call again.
    public func shutdown() async { await core.shutdown() }
}
