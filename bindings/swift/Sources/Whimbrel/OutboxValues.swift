// scripts/bindings-values.py writes this from bindings/ffi/src/outbox.rs: change that, then run  make bindings.

/// A queued question.
public struct QueuedQuestion: Sendable, Equatable {
    /// Its number.
    public var id: Int
    /// The id of its conversation.
    public var conversation: String
    /// Its text.
    public var text: String
    /// The app's name for the kind of work.
    public var task: String
    /// The privacy class that the app declared.
    public var privacyClass: PrivacyClass
    /// When it was queued or edited, in milliseconds since 1970.
    public var createdMs: Int
    /// Which conversation is served first.
    public var priority: QueuePriority
    /// How many attempts were begun.
    public var attempts: Int
    /// Time until it is retried. Absent if it does not wait for a time.
    public var retryIn: Duration?
    /// What has to be there before it is sent.
    public var needs: QueueNeeds
    /// How it is doing.
    public var state: QueueState

    /// Takes every value; those with a default can be left out.
    public init(
        id: Int,
        conversation: String,
        text: String,
        task: String,
        privacyClass: PrivacyClass,
        createdMs: Int,
        priority: QueuePriority,
        attempts: Int,
        retryIn: Duration?,
        needs: QueueNeeds,
        state: QueueState
    ) {
        self.id = id
        self.conversation = conversation
        self.text = text
        self.task = task
        self.privacyClass = privacyClass
        self.createdMs = createdMs
        self.priority = priority
        self.attempts = attempts
        self.retryIn = retryIn
        self.needs = needs
        self.state = state
    }
}

/// What has to be there before a question is sent.
public struct QueueNeeds: Sendable, Equatable {
    /// A network.
    public var network: Bool
    /// A network where data is free.
    public var unmetered: Bool
    /// A charger.
    public var charging: Bool

    /// Takes every value; those with a default can be left out.
    public init(
        network: Bool,
        unmetered: Bool,
        charging: Bool
    ) {
        self.network = network
        self.unmetered = unmetered
        self.charging = charging
    }
}

/// Which conversation is served first when several could be. The order inside a conversation does not depend on it.
public enum QueuePriority: Sendable, Hashable, CaseIterable {
    /// After all others.
    case low
    /// The default.
    case normal
    /// Before all others.
    case high
}

/// How a queued question is doing.
public enum QueueState: Sendable, Equatable {
    /// It waits for its turn, and for what it needs.
    case waiting
    /// It failed and is retried by itself.
    case retrying(failure: QueueFailure)
    /// It is behind a question of its conversation that is stuck or waits for confirmation.
    case blocked(by: Int)
    /// It is being sent.
    case sending(decided: QueueDecision?)
    /// It is old, and the user is asked before it is sent: see `Outbox.confirm`.
    case needsConfirmation
    /// It failed, and is not retried by itself.
    case stuck(failure: QueueFailure)
    /// The policy in force does not allow it anywhere. It is decided about again when a policy, key or model changes.
    case denied
    /// It failed too often after an endpoint may have worked on it, which may have cost money each time. It is not
    /// retried by itself.
    case mayCost(failure: QueueFailure)
    /// Its answer is in the conversation.
    case answered
    /// Its deadline has passed.
    case expired
    /// It was cancelled.
    case cancelled
}

/// How an attempt failed.
public struct QueueFailure: Sendable, Equatable {
    /// Why, as one of the codes in `docs/ledger.md`.
    public var code: String
    /// The HTTP status, if the endpoint answered with one.
    public var status: Int?
    /// What can help.
    public var remedy: QueueRemedy

    /// Takes every value; those with a default can be left out.
    public init(
        code: String,
        status: Int?,
        remedy: QueueRemedy
    ) {
        self.code = code
        self.status = status
        self.remedy = remedy
    }
}

/// What can help after a failure.
public enum QueueRemedy: Sendable, Hashable, CaseIterable {
    /// Another network, or time.
    case network
    /// Time.
    case time
    /// Another key, policy or setting.
    case settings
    /// The user, who edits, retries or cancels the question.
    case user
}

/// What the policy decided when a question was taken from the outbox.
public enum QueueDecision: Sendable, Hashable, CaseIterable {
    /// It is answered on this device.
    case onDevice
    /// It is sent with every finding replaced.
    case redacted
    /// It is sent as it is.
    case asIs
}

/// What happens in the outbox.
public enum OutboxEvent: Sendable, Equatable {
    /// Something is new about a question.
    case changed(id: Int, conversation: String, state: QueueState)
    /// Events were missed, because they were not read in time. `Outbox.list` says how everything is. Every reader gets
    /// this first: what happens after that listing is not lost.
    case missed(events: Int)
}

/// How much a run of the outbox may do.
public struct RunBudget: Sendable, Equatable {
    /// How many attempts may begin. Without this value, as many as are due.
    public var attempts: Int?
    /// For how long. Attempts that are still running then are stopped. Without this value, until nothing more can be
    /// sent.
    public var within: Duration?

    /// Takes every value; those with a default can be left out.
    public init(
        attempts: Int? = nil,
        within: Duration? = nil
    ) {
        self.attempts = attempts
        self.within = within
    }
}

/// What a run of the outbox did.
public struct OutboxRun: Sendable, Equatable {
    /// Questions that were answered.
    public var answered: Int
    /// Questions that are still queued.
    public var left: Int
    /// When the next run is worth while, in milliseconds since 1970. Absent if nothing waits for a time or a condition.
    public var nextMs: Int?
    /// What the system is to wait for before it.
    public var nextNeeds: QueueNeeds

    /// Takes every value; those with a default can be left out.
    public init(
        answered: Int,
        left: Int,
        nextMs: Int?,
        nextNeeds: QueueNeeds
    ) {
        self.answered = answered
        self.left = left
        self.nextMs = nextMs
        self.nextNeeds = nextNeeds
    }
}
