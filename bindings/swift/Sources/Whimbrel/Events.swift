// scripts/bindings-values.py writes this from bindings/ffi/src/conversation.rs: change that, then run  make bindings.

/// Who says a message.
public enum Role: Sendable, Hashable, CaseIterable {
    /// What the app tells the model beforehand.
    case system
    /// The person.
    case user
    /// The model.
    case assistant
}

/// One message of a conversation. To go on with an earlier conversation, hand back what `messages()` gave.
public struct Message: Sendable, Equatable {
    /// Who says it.
    public var role: Role
    /// The text.
    public var content: String
    /// How private it is. A message without it is treated as the most private message that its conversation ever held.
    public var privacyClass: PrivacyClass?
    /// Who besides this device's model may read it. Apps keep this value and hand it back; what is in it may change
    /// between versions. A message without it may be read only by those who might read every message that its
    /// conversation ever held.
    public var recipients: [String]?

    /// Takes every value; those with a default can be left out.
    public init(
        role: Role,
        content: String,
        privacyClass: PrivacyClass? = nil,
        recipients: [String]? = nil
    ) {
        self.role = role
        self.content = content
        self.privacyClass = privacyClass
        self.recipients = recipients
    }
}

/// What an answer brings, in this order. All but the last may come again.
public enum Event: Sendable, Equatable {
    /// A place was asked.
    case started(place: Place, release: Release?)
    /// The model read a part of the prompt. A short prompt is read in one go, without this event.
    case reading(done: Int, total: Int)
    /// The model thinks before it answers. What it thinks is no part of the answer and is not given.
    case thinking(bytes: Int)
    /// The next piece of text, never empty and never half a character.
    case text(text: String)
    /// The text so far is void: another place answers from the beginning.
    case restarted
    /// The answer is over; nothing follows.
    case finished(report: Report)
}
