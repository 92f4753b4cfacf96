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

    /// Cancels all answers and closes all models. Returns at once, and may be called again.
    public func close() { core.release() }

    /// Like `close`, but waits until all memory is released. May be called again.
    public func shutdown() async { await core.shutdown() }
}
