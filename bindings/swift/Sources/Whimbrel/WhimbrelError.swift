internal import WhimbrelCore

/// All errors of Whimbrel. No error ever contains text from a user or a model, so all of them may be logged.
public enum WhimbrelError: Error, Sendable, Equatable {
    /// There is no model bundle in the folder, or one of its files is missing or unreadable.
    case bundleMissing(reason: String)
    /// The bundle is damaged. Download it again.
    case bundleCorrupt(reason: String)
    /// The bundle is intact, but this version cannot run it.
    case unsupportedBundle(reason: String)
    /// The question needs more tokens, including room for an answer, than the context has.
    case contextFull(needed: Int, limit: Int)
    /// An option is out of range.
    case invalidOption(_ option: String, expected: String, found: String)
    /// The client, the model, the conversation or the assistant was already closed.
    case closed(what: String)
    /// The conversation is still answering the previous question.
    case busy
    /// No call of the answer in progress waits for this result: it has one, or its time is over.
    case unknownCall(id: Int)
    /// Questions of this conversation wait in the outbox, and one with tools cannot.
    case toolsCannotWait
    /// There is no question to ask again.
    case nothingToRepeat
    /// Only a conversation of an `Assistant` can explain a decision. With one model alone there is no policy.
    case noPolicy
    /// The app's policy does not say where telemetry may go.
    case noTelemetry
    /// Only a model on this device has something to save.
    case noModel
    /// A policy document was refused as a whole. The previous policies stay in force. Line and column count from 1;
    /// they are 0 if the error does not concern one position. The path names the field.
    case policy(line: Int, column: Int, path: String, reason: String)
    /// The ledger, or the store that it is in, cannot be opened, read or written. Nothing leaves the device without a receipt. The problem is a
    /// stable word: `in_use`, `foreign`, `tampered`, `full`, `unknown_receipt` and others. `foreign` means that the
    /// vault does not belong to this ledger. If its own vault is gone, `Assistant.restartLedger` starts a new ledger.
    case ledger(problem: String, reason: String)
    /// A GGUF file could not be made into a bundle, and nothing is left of it. The problem is a stable word: `missing`
    /// (the file or a part of it), `unreadable`, `invalid`, `not_supported`, `changed`, `disk_full`, `file`,
    /// `cancelled`, or `unavailable` where the library was built without GGUF files.
    case `import`(problem: String, reason: String)
    /// The key vault failed. If it is locked, a later call may succeed. If it is invalidated, its secrets are lost for
    /// good, and `Assistant.startEmpty` gives up what was sealed with them.
    case vault(reason: String, isLocked: Bool, isInvalidated: Bool)
    /// Encrypted data cannot be read; everything else in the store still works. The problem is a stable word: `key_lost`
    /// (the vault has no data key any more), `wrong_key` (it has another store's) or `keys_unreadable`, after which
    /// `Assistant.startEmpty` gives up what was sealed; `value_changed`, after which `Conversations.repair` gives up
    /// single values; or `file_changed` for a cached file.
    case sealed(problem: String, reason: String)
    /// There is no such `conversation`, `message` or `queued question`: it may have been deleted, or answered.
    case notFound(what: String, id: String)
    /// A queued question cannot be changed so. The problem is a stable word: `sending` (it is being sent at this
    /// moment) or `not_asked` (it does not wait for confirmation).
    case outbox(problem: String, reason: String)
    /// A document with conversations cannot be imported, and nothing was added. The problem is a stable word:
    /// `unreadable`, `malformed`, `other_format` or `newer`. Line and column count from 1; they are 0 if the error does
    /// not concern one position.
    case document(problem: String, line: Int, column: Int, reason: String)
    /// There is no schema of a type: the place is where in it, and the reason what cannot be said there. Nothing was asked.
    case unsupportedType(place: String, reason: String)
    /// There is no whole answer to make a value of: it was denied or deferred, it failed (with the code `not_in_form` if
    /// it ended too early), or it was stopped. The report says why.
    case noAnswer(report: Report)
    /// The answer has its form, but it cannot be decoded: the type asks for more than its schema says. The text is the
    /// conversation's last message.
    case valueRefused(type: String)
    /// A limit was exceeded.
    case limitExceeded(what: String, limit: Int, found: Int)
    /// There is not enough memory for the context.
    case outOfMemory(contextLength: Int, bytes: Int)
    /// A bug in Whimbrel. The number identifies it; 0 means that the call itself failed.
    case `internal`(number: Int, reason: String)

    /// A stable name of the case.
    public var code: String {
        switch self {
        case .bundleMissing: "bundle_missing"
        case .bundleCorrupt: "bundle_corrupt"
        case .unsupportedBundle: "unsupported_bundle"
        case .contextFull: "context_full"
        case .invalidOption: "invalid_option"
        case .closed: "closed"
        case .busy: "busy"
        case .unknownCall: "unknown_call"
        case .toolsCannotWait: "tools_cannot_wait"
        case .nothingToRepeat: "nothing_to_repeat"
        case .noPolicy: "no_policy"
        case .noTelemetry: "no_telemetry"
        case .noModel: "no_model"
        case .policy: "policy"
        case .ledger: "ledger"
        case .import: "import"
        case .vault: "vault"
        case .sealed: "sealed"
        case .notFound: "not_found"
        case .outbox: "outbox"
        case .document: "document"
        case .unsupportedType: "unsupported_type"
        case .noAnswer: "no_answer"
        case .valueRefused: "value_refused"
        case .limitExceeded: "limit_exceeded"
        case .outOfMemory: "out_of_memory"
        case .internal: "internal"
        }
    }
}

extension WhimbrelError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .bundleMissing(let reason), .bundleCorrupt(let reason), .unsupportedBundle(let reason):
            "\(code): \(reason)"
        case .contextFull(let needed, let limit): "\(code): \(needed) tokens needed, \(limit) available"
        case .invalidOption(let option, let expected, let found): "\(code): \(option) must be \(expected), not \(found)"
        case .closed(let what): "\(code): the \(what) is closed"
        case .busy: "\(code): the conversation is still answering"
        case .unknownCall(let id): "\(code): no call \(id) waits for a result"
        case .toolsCannotWait: "\(code): questions of this conversation wait, and one with tools cannot"
        case .nothingToRepeat: "\(code): there is no question to ask again"
        case .noPolicy: "\(code): this conversation has no policy"
        case .noTelemetry: "\(code): the app's policy has no section telemetry"
        case .noModel: "\(code): there is no model on this device"
        case .policy(let line, let column, let path, let reason):
            "\(code): line \(line), column \(column), \(path): \(reason)"
        case .ledger(let problem, let reason): "\(code): \(problem): \(reason)"
        case .import(let problem, let reason): "\(code): \(problem): \(reason)"
        case .vault(let reason, _, _): "\(code): \(reason)"
        case .sealed(let problem, let reason), .outbox(let problem, let reason),
            .document(let problem, _, _, let reason):
            "\(code): \(problem): \(reason)"
        case .notFound(let what, let id): "\(code): there is no \(what) \(id)"
        case .unsupportedType(let place, let reason): "\(code): \(place): \(reason)"
        case .noAnswer(let report):
            "\(code): \(["\(report.outcome)", report.code].compactMap { $0 }.joined(separator: ", "))"
        case .valueRefused(let type): "\(code): \(type) cannot be decoded from the answer"
        case .limitExceeded(let what, let limit, let found): "\(code): \(found) \(what), the limit is \(limit)"
        case .outOfMemory(_, let bytes): "\(code): not enough memory (\(bytes) bytes needed)"
        case .internal(let number, let reason): "\(code): \(number): \(reason)"
        }
    }
}

extension WhimbrelError {
    init(_ error: any Error) {
        switch error {
        case let error as WhimbrelError: self = error
        case let error as WhimbrelCore.CoreError: self.init(core: error)
        default: self = .internal(number: 0, reason: "the call failed")
        }
    }

    private init(core: WhimbrelCore.CoreError) {
        switch core {
        case .BundleMissing(let reason): self = .bundleMissing(reason: reason)
        case .BundleCorrupt(let reason): self = .bundleCorrupt(reason: reason)
        case .UnsupportedBundle(let reason): self = .unsupportedBundle(reason: reason)
        case .ContextFull(let needed, let limit):
            self = .contextFull(needed: Int(clamping: needed), limit: Int(clamping: limit))
        case .InvalidOption(let option, let expected, let found):
            self = .invalidOption(option, expected: expected, found: found)
        case .Closed(let what): self = .closed(what: what)
        case .Busy: self = .busy
        case .UnknownCall(let id): self = .unknownCall(id: Int(id))
        case .ToolsCannotWait: self = .toolsCannotWait
        case .NothingToRepeat: self = .nothingToRepeat
        case .NoPolicy: self = .noPolicy
        case .NoTelemetry: self = .noTelemetry
        case .NoModel: self = .noModel
        case .Policy(let line, let column, let path, let reason):
            self = .policy(line: Int(line), column: Int(column), path: path, reason: reason)
        case .Ledger(let problem, let reason): self = .ledger(problem: problem, reason: reason)
        case .Import(let problem, let reason): self = .import(problem: problem, reason: reason)
        case .Vault(let reason, let locked, let invalidated):
            self = .vault(reason: reason, isLocked: locked, isInvalidated: invalidated)
        case .Sealed(let problem, let reason): self = .sealed(problem: problem, reason: reason)
        case .NotFound(let what, let id): self = .notFound(what: what, id: id)
        case .Outbox(let problem, let reason): self = .outbox(problem: problem, reason: reason)
        case .Document(let problem, let line, let column, let reason):
            self = .document(problem: problem, line: Int(line), column: Int(column), reason: reason)
        case .LimitExceeded(let what, let limit, let found):
            self = .limitExceeded(what: what, limit: Int(clamping: limit), found: Int(clamping: found))
        case .OutOfMemory(let length, let bytes):
            self = .outOfMemory(contextLength: Int(length), bytes: Int(clamping: bytes))
        case .Internal(let code, let reason): self = .internal(number: Int(code), reason: reason)
        }
    }
}
