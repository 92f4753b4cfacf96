// scripts/bindings-values.py writes this from bindings/ffi/src/outbox.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/**
 * A queued question.
 *
 * @property id its number.
 * @property conversation the id of its conversation.
 * @property text its text.
 * @property task the app's name for the kind of work.
 * @property privacyClass the privacy class that the app declared.
 * @property createdMs when it was queued or edited, in milliseconds since 1970.
 * @property priority which conversation is served first.
 * @property attempts how many attempts were begun.
 * @property retryIn time until it is retried. Absent if it does not wait for a time.
 * @property needs what has to be there before it is sent.
 * @property state how it is doing.
 */
public data class QueuedQuestion(
    public val id: Long,
    public val conversation: String,
    public val text: String,
    public val task: String,
    public val privacyClass: PrivacyClass,
    public val createdMs: Long,
    public val priority: QueuePriority,
    public val attempts: Int,
    public val retryIn: Duration?,
    public val needs: QueueNeeds,
    public val state: QueueState,
)

/**
 * What has to be there before a question is sent.
 *
 * @property network a network.
 * @property unmetered a network where data is free.
 * @property charging a charger.
 */
public data class QueueNeeds(
    public val network: Boolean,
    public val unmetered: Boolean,
    public val charging: Boolean,
)

/** Which conversation is served first when several could be. The order inside a conversation does not depend on it. */
public enum class QueuePriority {
    /** After all others. */
    LOW,

    /** The default. */
    NORMAL,

    /** Before all others. */
    HIGH,
}

/** How a queued question is doing. */
public sealed interface QueueState {
    /** It waits for its turn, and for what it needs. */
    public data object Waiting : QueueState

    /**
     * It failed and is retried by itself.
     *
     * @property failure how it failed.
     */
    public data class Retrying(
        public val failure: QueueFailure,
    ) : QueueState

    /**
     * It is behind a question of its conversation that is stuck or waits for confirmation.
     *
     * @property by the number of that question.
     */
    public data class Blocked(
        public val by: Long,
    ) : QueueState

    /**
     * It is being sent.
     *
     * @property decided what the policy in force decided. Absent until it has.
     */
    public data class Sending(
        public val decided: QueueDecision?,
    ) : QueueState

    /** It is old, and the user is asked before it is sent: see `Outbox.confirm`. */
    public data object NeedsConfirmation : QueueState

    /**
     * It failed, and is not retried by itself.
     *
     * @property failure how it failed.
     */
    public data class Stuck(
        public val failure: QueueFailure,
    ) : QueueState

    /**
     * The policy in force does not allow it anywhere. It is decided about again when a policy, key or model changes.
     */
    public data object Denied : QueueState

    /**
     * It failed too often after an endpoint may have worked on it, which may have cost money each time. It is not
     * retried by itself.
     *
     * @property failure the last failure.
     */
    public data class MayCost(
        public val failure: QueueFailure,
    ) : QueueState

    /** Its answer is in the conversation. */
    public data object Answered : QueueState

    /** Its deadline has passed. */
    public data object Expired : QueueState

    /** It was cancelled. */
    public data object Cancelled : QueueState
}

/**
 * How an attempt failed.
 *
 * @property code why, as one of the codes in `docs/ledger.md`.
 * @property status the HTTP status, if the endpoint answered with one.
 * @property remedy what can help.
 */
public data class QueueFailure(
    public val code: String,
    public val status: Int?,
    public val remedy: QueueRemedy,
)

/** What can help after a failure. */
public enum class QueueRemedy {
    /** Another network, or time. */
    NETWORK,

    /** Time. */
    TIME,

    /** Another key, policy or setting. */
    SETTINGS,

    /** The user, who edits, retries or cancels the question. */
    USER,
}

/** What the policy decided when a question was taken from the outbox. */
public enum class QueueDecision {
    /** It is answered on this device. */
    ON_DEVICE,

    /** It is sent with every finding replaced. */
    REDACTED,

    /** It is sent as it is. */
    AS_IS,
}

/** What happens in the outbox. */
public sealed interface OutboxEvent {
    /**
     * Something is new about a question.
     *
     * @property id the question's number.
     * @property conversation the id of its conversation.
     * @property state how it is doing now.
     */
    public data class Changed(
        public val id: Long,
        public val conversation: String,
        public val state: QueueState,
    ) : OutboxEvent

    /**
     * Events were missed, because they were not read in time. `Outbox.list` says how everything is. Every reader gets
     * this first: what happens after that listing is not lost.
     *
     * @property events how many; 0 at the beginning.
     */
    public data class Missed(
        public val events: Long,
    ) : OutboxEvent
}

/**
 * How much a run of the outbox may do.
 *
 * @property attempts how many attempts may begin. Without this value, as many as are due.
 * @property within for how long. Attempts that are still running then are stopped. Without this value, until nothing
 *   more can be sent.
 */
public data class RunBudget(
    public val attempts: Int? = null,
    public val within: Duration? = null,
)

/**
 * What a run of the outbox did.
 *
 * @property answered questions that were answered.
 * @property left questions that are still queued.
 * @property nextMs when the next run is worth while, in milliseconds since 1970. Absent if nothing waits for a time or
 *   a condition.
 * @property nextNeeds what the system is to wait for before it.
 */
public data class OutboxRun(
    public val answered: Int,
    public val left: Long,
    public val nextMs: Long?,
    public val nextNeeds: QueueNeeds,
)
