internal import WhimbrelCore

/// A conversation, which answers one question at a time. It works the same way whether the policy of an `Assistant`
/// decides where each question is answered, or one `LanguageModel` answers alone.
public final class Conversation: Sendable {
    private let core: WhimbrelCore.Conversation
    private let calls = CallDesk()

    init(_ core: WhimbrelCore.Conversation) { self.core = core }

    /// Its id among the conversations that are kept, or `nil` if it is not kept.
    public var id: String? { core.id() }

    /// A number that grows each time the messages change.
    public var revision: Int { Int(clamping: core.revision()) }

    /// The system message, if there is one.
    public var system: String? { core.system() }

    /// Asks a question, as soon as the stream is read. Cancelling the task that reads it ends the stream without
    /// `finished`. Cancelling the task, or releasing the stream, cancels the answer; the text so far becomes part of
    /// the conversation. A slow reader loses nothing: the answer waits for it.
    ///
    /// The last event says where the question was answered, and whether at all: a request that the rules denied or
    /// deferred, or that failed everywhere, is not an error. A question that every place failed to answer stays in the
    /// conversation; the same text asked again takes its place. The stream fails with a `WhimbrelError`: `busy` while another
    /// answer is being read (after a cancelled answer the question waits for its end instead), `contextFull` when the
    /// question does not fit the only model, and `ledger` when no receipt can be written. The conversation is then as
    /// it was.
    ///
    /// `tools` are functions that the model may call before it answers. They run while the stream is read, also when the
    /// question is asked again. `AskOptions.tools` then has only the limits; with tools of its own, and without `tools`,
    /// each `Event.call` waits for `giveResult`. The stream fails with `invalidOption` for tools that cannot be offered,
    /// with `unsupportedType` if the arguments of a function have no schema, and with `toolsCannotWait` while questions
    /// of the conversation wait in the outbox. The conversation keeps the functions until the next question, `reset` or
    /// `close`.
    public func ask(
        _ question: String,
        options: AskOptions = AskOptions(),
        tools: Tools? = nil
    ) -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core, calls] in
            let options = try options.with(tools).toCore()
            return try calls.begin(tools) { try core.ask(question: question, options: options) }
        }
    }

    /// Asks the last question again, with its tools, when the stream is read. If it had been answered, this counts as a
    /// sign that the user did not like the answer. The new answer replaces the old one; if there is no new answer, the
    /// old one stays. The stream fails with `nothingToRepeat` if no question was asked.
    public func regenerate(
        _ generation: GenerationOptions = GenerationOptions()
    ) -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core, calls] in try calls.beginAgain { try core.regenerate(generation: generation.toCore()) } }
    }

    /// Asks the last question again at another place, if the policy allows one now: see `Report.canEscalate`.
    public func escalate() -> AsyncThrowingStream<Event, any Error> {
        answerStream { [core, calls] in try calls.beginAgain { try core.escalate() } }
    }

    /// Gives what came of a call (`PendingCall.id`) of the answer in progress, which then goes on. It is for calls that no
    /// `Tools` carry out. A function that a person must confirm must not run before that.
    ///
    /// Fails with `unknownCall` if the call waits no more, and with `limitExceeded` for a result of more than 64 KiB;
    /// the call still waits then.
    public func giveResult(_ call: Int, _ result: ToolResult) throws { try calls.give(result, to: call) }

    /// Stops the answer in progress. Unlike a cancelled stream, its stream still ends with `finished`. Returns at once;
    /// has no effect if no answer is in progress.
    public func stop() { core.stop() }

    /// What would be decided about a question now. Nothing is asked, and no receipt is written. Fails with `noPolicy`
    /// in a conversation with one model alone.
    public func explain(_ question: String, options: AskOptions = AskOptions()) async throws -> Explanation {
        let options = try options.toCore()
        return try await translated { try await core.explain(question: question, options: options) }.toPublic()
    }

    /// The messages so far, without the system message. Store them unchanged to resume the conversation with
    /// `setMessages`.
    public func messages() -> [Message] { core.messages().map { $0.toPublic() } }

    /// Waits until a cancelled answer has ended. `messages` then contains the part of it that was kept. Fails with
    /// `busy` while an answer is in progress that was not cancelled.
    public func settled() async throws { try await translated { try await core.settled() } }

    /// Replaces the messages, to resume an earlier conversation. Messages from `messages` keep their privacy class and
    /// recipients.
    public func setMessages(_ messages: [Message]) throws {
        try translated { try core.setMessages(messages: messages.map { try $0.toCore() }) }
    }

    /// Replaces the system message from the next question on. Pass `nil` for the default one, or an empty text to let
    /// the model's template decide. The messages stay, with their privacy class and recipients.
    public func setSystem(_ system: String?) throws { try translated { try core.setSystem(system: system) } }

    /// Deletes the messages, but not the system message.
    public func reset() throws {
        try translated { try core.reset() }
        calls.forgetTools()
    }

    /// Raises the privacy class of the messages so far, if the app knows more than can be found in them. It applies to
    /// every further question until `reset`.
    public func raiseClass(_ privacyClass: PrivacyClass) { core.raiseClass(privacyClass: privacyClass.toCore()) }

    /// Saves the conversation and its KV cache to a file, so that `restore` can resume it without prefilling its text
    /// again. The file contains what was said and is readable by its owner only.
    public func save(to path: String) async throws {
        try await translated { try await core.save(path: path) }
    }

    /// Resumes a conversation that `save` wrote with the same model, and discards the current one. Fails with
    /// `invalidOption` if the file cannot be used; the current conversation is then unchanged.
    public func restore(from path: String) async throws {
        try await translated { try await core.restore(path: path) }
    }

    /// Saves the KV cache of the first `tokens` tokens of the conversation to a file, without the messages. Another
    /// conversation that starts with the same text can load it with `restorePrefix`.
    public func savePrefix(to path: String, tokens: Int) async throws {
        let tokens: UInt32 = try coreNumber(tokens, "tokens")
        try await translated { try await core.savePrefix(path: path, tokens: tokens) }
    }

    /// Loads a file that `savePrefix` wrote with the same model. The messages do not change.
    public func restorePrefix(from path: String) async throws {
        try await translated { try await core.restorePrefix(path: path) }
    }

    /// Cancels the answer in progress and releases the memory. Returns at once, and may be called again.
    public func close() {
        core.release()
        calls.forgetTools()
    }
}
