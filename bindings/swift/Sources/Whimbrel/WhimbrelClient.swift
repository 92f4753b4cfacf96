internal import WhimbrelCore

/// Opens models. All computing happens on one background thread that this object owns. No function blocks its caller,
/// so every function may be called on the main actor.
public final class WhimbrelClient: Sendable {
    private let core: WhimbrelCore.Client

    /// Starts the background thread.
    public init() throws {
        core = try translated { try WhimbrelCore.Client() }
    }

    /// The number of answers in progress in all conversations. A cancelled answer counts until it has ended.
    public var activeAnswers: Int { Int(core.activeAnswers()) }

    /// Opens the bundle in the folder `path`. Answers in progress pause until it is open.
    public func openModel(at path: String, options: OpenOptions = OpenOptions()) async throws -> LanguageModel {
        let options = try options.toCore()
        return LanguageModel(try await translated { try await core.openModel(path: path, options: options) })
    }

    /// Opens the conversations of the store at `path` without a policy or a ledger; the file is created if it does not
    /// exist. Choose the model that answers with `Conversations.answered(by:)`. Only one assistant or client can have a
    /// store open, until `Conversations.shutdown`. Fails with `ledger` or `vault`.
    public func conversations(at path: String, vault: any KeyVault) async throws -> Conversations {
        let vault = ForeignVault(vault)
        return Conversations(try await translated { try await core.conversations(path: path, vault: vault) })
    }

    /// Makes a bundle of the GGUF file `file`, or of all parts of a split file of which one is named, for `openModel`.
    /// The bundle is kept in `folder`, by the file's content: a file that was imported before is ready at once. The
    /// last event is `ImportEvent.finished` with the bundle's path. Reading the stream starts the import, and leaving
    /// it early cancels it; nothing is left of a cancelled or failed import. The stream throws `WhimbrelError.import`
    /// with what is wrong with the file.
    public func importModel(_ file: String, into folder: String) -> AsyncThrowingStream<ImportEvent, any Error> {
        let reader = ImportReader(file: file, folder: folder)
        return AsyncThrowingStream { try await reader.next() }
    }

    /// Cancels all answers and closes all models. Returns at once, and may be called again.
    public func close() { core.release() }

    /// Like `close`, but waits until all memory is released. May be called again.
    public func shutdown() async { await core.shutdown() }
}

/// The events of one import, one by one. When nothing refers to this object any more, the import is released and
/// thereby cancelled.
private actor ImportReader {
    private let file: String
    private let folder: String
    private var started: WhimbrelCore.ModelImport?

    init(file: String, folder: String) {
        self.file = file
        self.folder = folder
    }

    func next() async throws -> ImportEvent? {
        let current = try begun()
        // Cancelling a task does not reach the core by itself.
        let event = try await withTaskCancellationHandler {
            try await translated { try await current.next() }
        } onCancel: {
            current.cancel()
        }
        guard !Task.isCancelled else {
            current.cancel()
            return nil
        }
        return event?.toPublic()
    }

    private func begun() throws -> WhimbrelCore.ModelImport {
        if let started { return started }
        let now = try translated { try WhimbrelCore.ModelImport.start(file: file, folder: folder) }
        started = now
        return now
    }
}
