// scripts/bindings-values.py writes this from bindings/ffi/src/conversations.rs: change that, then run  make bindings.

/// A conversation as a list shows it.
public struct ConversationSummary: Sendable, Equatable {
    /// Its id, 32 hexadecimal digits, which stays the same on all devices.
    public var id: String
    /// Its number on this device: later ones have higher numbers. The next page of the list goes on by it.
    public var number: Int
    /// Its title.
    public var title: String
    /// When it was made, in milliseconds since 1970.
    public var createdMs: Int
    /// When a message was last added or replaced, in milliseconds since 1970.
    public var updatedMs: Int
    /// Whether it stands before the others.
    public var isPinned: Bool
    /// How many messages it has.
    public var messages: Int
    /// What its messages take on the disk, in bytes.
    public var bytes: Int

    /// Takes every value; those with a default can be left out.
    public init(
        id: String,
        number: Int,
        title: String,
        createdMs: Int,
        updatedMs: Int,
        isPinned: Bool,
        messages: Int,
        bytes: Int
    ) {
        self.id = id
        self.number = number
        self.title = title
        self.createdMs = createdMs
        self.updatedMs = updatedMs
        self.isPinned = isPinned
        self.messages = messages
        self.bytes = bytes
    }
}

/// Whether a message is whole.
public enum MessageState: Sendable, Hashable, CaseIterable {
    /// It is whole.
    case complete
    /// It is an answer that is being written.
    case inProgress
    /// It is an answer that ended early: it was cancelled, it failed, or its process ended.
    case interrupted
    /// Its content could not be read any more and was given up by `repair`.
    case lost
}

/// A message as it is kept.
public struct KeptMessage: Sendable, Equatable {
    /// The author.
    public var role: Role
    /// The text.
    public var content: String
    /// When it was written, in milliseconds since 1970.
    public var timeMs: Int
    /// The number of its request's receipt in the ledger.
    public var receipt: Int?
    /// Whether it is whole.
    public var state: MessageState

    /// Takes every value; those with a default can be left out.
    public init(
        role: Role,
        content: String,
        timeMs: Int,
        receipt: Int?,
        state: MessageState
    ) {
        self.role = role
        self.content = content
        self.timeMs = timeMs
        self.receipt = receipt
        self.state = state
    }
}

/// A conversation with everything that was said in it.
public struct KeptConversation: Sendable, Equatable {
    /// What a list shows of it.
    public var summary: ConversationSummary
    /// Its messages, without the system message.
    public var messages: [KeptMessage]

    /// Takes every value; those with a default can be left out.
    public init(
        summary: ConversationSummary,
        messages: [KeptMessage]
    ) {
        self.summary = summary
        self.messages = messages
    }
}

/// A text that was found.
public struct SearchHit: Sendable, Equatable {
    /// The id of the conversation.
    public var conversation: String
    /// The position of the message in it, from 0. Absent if the text was found in the title.
    public var message: Int?
    /// When the message was written, or the conversation last changed, in milliseconds since 1970.
    public var timeMs: Int
    /// The whole title or message.
    public var text: String
    /// The index of the first character of the match (Unicode scalar value).
    public var start: Int
    /// The index of the character after its last one.
    public var end: Int

    /// Takes every value; those with a default can be left out.
    public init(
        conversation: String,
        message: Int?,
        timeMs: Int,
        text: String,
        start: Int,
        end: Int
    ) {
        self.conversation = conversation
        self.message = message
        self.timeMs = timeMs
        self.text = text
        self.start = start
        self.end = end
    }
}

/// Selects old conversations to delete: those that match either value, unless they are pinned.
public struct Retention: Sendable, Equatable {
    /// Conversations whose last message is older than this time, in milliseconds since 1970.
    public var updatedBeforeMs: Int?
    /// The number of newest conversations to keep. Pinned ones are not counted.
    public var conversationsMax: Int?

    /// Takes every value; those with a default can be left out.
    public init(
        updatedBeforeMs: Int? = nil,
        conversationsMax: Int? = nil
    ) {
        self.updatedBeforeMs = updatedBeforeMs
        self.conversationsMax = conversationsMax
    }
}

/// What an import of conversations did.
public struct ImportedConversations: Sendable, Equatable {
    /// The ids of the conversations that were added.
    public var added: [String]
    /// How many were there already, and were left as they are.
    public var present: Int

    /// Takes every value; those with a default can be left out.
    public init(
        added: [String],
        present: Int
    ) {
        self.added = added
        self.present = present
    }
}

/// What a repair gave up.
public struct Repaired: Sendable, Equatable {
    /// Titles that are empty now.
    public var titles: Int
    /// Conversations of which it is no longer known how private they are. They are treated like imported ones.
    public var attributes: Int
    /// Messages that have no content now, and the state `Lost`.
    public var messages: Int
    /// Queued questions that were removed.
    public var questions: Int
    /// Cached answers that were removed.
    public var answers: Int

    /// Takes every value; those with a default can be left out.
    public init(
        titles: Int,
        attributes: Int,
        messages: Int,
        questions: Int,
        answers: Int
    ) {
        self.titles = titles
        self.attributes = attributes
        self.messages = messages
        self.questions = questions
        self.answers = answers
    }
}

/// What a recovery found.
public struct Recovered: Sendable, Equatable {
    /// The new path of the damaged database. It still has everything that can be read of it, encrypted as before.
    public var aside: String?
    /// What the new database has from it.
    public var kept: RecoveredRows
    /// What is lost, as far as something tells of it.
    public var lost: RecoveredRows
    /// Pages of the database's log that cannot be used. If there are any, the newest changes may be missing.
    public var logPagesLost: Int

    /// Takes every value; those with a default can be left out.
    public init(
        aside: String?,
        kept: RecoveredRows,
        lost: RecoveredRows,
        logPagesLost: Int
    ) {
        self.aside = aside
        self.kept = kept
        self.lost = lost
        self.logPagesLost = logPagesLost
    }
}

/// Numbers of what is kept in a store.
public struct RecoveredRows: Sendable, Equatable {
    /// Conversations.
    public var conversations: Int
    /// Messages.
    public var messages: Int
    /// Queued questions.
    public var questions: Int
    /// Remembered answers.
    public var answers: Int
    /// Entries of the ledger.
    public var entries: Int
    /// Signs of feedback.
    public var feedback: Int

    /// Takes every value; those with a default can be left out.
    public init(
        conversations: Int,
        messages: Int,
        questions: Int,
        answers: Int,
        entries: Int,
        feedback: Int
    ) {
        self.conversations = conversations
        self.messages = messages
        self.questions = questions
        self.answers = answers
        self.entries = entries
        self.feedback = feedback
    }
}

/// How a change of the data key went.
public struct KeyRotation: Sendable, Equatable {
    /// Values that have the new key.
    public var rows: Int
    /// Values that were damaged before, and are as unreadable as before. `repair` gives them up.
    public var unreadable: Int

    /// Takes every value; those with a default can be left out.
    public init(
        rows: Int,
        unreadable: Int
    ) {
        self.rows = rows
        self.unreadable = unreadable
    }
}
