// scripts/bindings-values.py writes this from bindings/ffi/src/conversation.rs: change that, then run  make bindings.

/// The author of a message.
public enum Role: Sendable, Hashable, CaseIterable {
    /// The app, with instructions for the model.
    case system
    /// The user.
    case user
    /// The model.
    case assistant
}

/// One message of a conversation. To resume an earlier conversation, pass back the messages that `messages()` returned.
public struct Message: Sendable, Equatable {
    /// The author.
    public var role: Role
    /// The text.
    public var content: String
    /// How private the message is. A message without this value is treated like the most private message that its
    /// conversation has ever held.
    public var privacyClass: PrivacyClass?
    /// Who may read the message, apart from the model on this device. Store this value and pass it back unchanged; its
    /// content may change between versions. A message without it may be read only by those who may read every message
    /// that its conversation has ever held.
    public var recipients: [String]?
    /// The number of the receipt of the request that it is the question or the answer of.
    public var receipt: Int?
    /// Whether it is an answer that ended early: it was cancelled, or its process ended.
    public var isInterrupted: Bool

    /// Takes every value; those with a default can be left out.
    public init(
        role: Role,
        content: String,
        privacyClass: PrivacyClass? = nil,
        recipients: [String]? = nil,
        receipt: Int? = nil,
        isInterrupted: Bool = false
    ) {
        self.role = role
        self.content = content
        self.privacyClass = privacyClass
        self.recipients = recipients
        self.receipt = receipt
        self.isInterrupted = isInterrupted
    }
}

/// What an answer brings, in this order. All but the last may come again.
public enum Event: Sendable, Equatable {
    /// A place was asked.
    case started(place: Place, release: Release?)
    /// Part of the prompt was read. A short prompt is read in one step, without this event.
    case reading(done: Int, total: Int)
    /// The next piece of what the model thinks before it answers, never empty. It is not part of the answer or of the
    /// conversation. Discard what was thought so far when another place starts.
    case thinking(text: String)
    /// The next piece of text, never empty and never half a character.
    case text(text: String)
    /// Discard the text so far: another place answers from the beginning.
    case restarted
    /// The model calls a tool of the app, and the answer waits for its result: see `give_result`.
    case call(call: PendingCall)
    /// The answer has ended. This is the last event.
    case finished(report: Report)
}
