// scripts/bindings-values.py writes this from bindings/ffi/src/tools.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/**
 * A function of the app that the model may call.
 *
 * @property name what the model calls it: at most 64 of `A-Z a-z 0-9 _ -`.
 * @property description a description for the model: what it does, and when to use it.
 * @property parameters the JSON Schema of its arguments, an object. A keyword that cannot be enforced is refused by
 *   name.
 * @property permission whether a person is asked before it runs. The default is `CONFIRM`. A policy may be stricter,
 *   and the app's policy may also be less strict.
 * @property resultClass how private what it gives is at least. The default is `PUBLIC`. Findings in a result can only
 *   raise it.
 */
public data class Tool(
    public val name: String,
    public val description: String,
    public val parameters: String,
    public val permission: ToolPermission = ToolPermission.CONFIRM,
    public val resultClass: PrivacyClass = PrivacyClass.PUBLIC,
)

/** Whether a tool runs when the model calls it. */
public enum class ToolPermission {
    /** It runs without asking. */
    ALWAYS,

    /** A person is asked each time. */
    CONFIRM,

    /** It does not run. */
    NEVER,
}

/** Whether the model calls a tool. */
public enum class ToolChoice {
    /** As it decides. */
    AUTO,

    /** It must not. */
    NONE,

    /** It must call one first. */
    REQUIRED,
}

/**
 * The tools for a question.
 *
 * @property tools what the model may call, with different names.
 * @property choice whether it has to. The default is `AUTO`.
 * @property callsMax how many calls the answer may take, at most 64. Then the model answers with what it has.
 * @property resultTimeMax how long each call is waited for, with the person's answer where one is asked.
 */
public data class ToolOptions(
    public val tools: List<Tool> = emptyList(),
    public val choice: ToolChoice = ToolChoice.AUTO,
    public val callsMax: Int = 8,
    public val resultTimeMax: Duration = 120000.milliseconds,
)

/**
 * A call that waits for its result.
 *
 * @property id its number, which no other call of the process has.
 * @property name the tool.
 * @property arguments a JSON object that has the form of the tool's parameters.
 * @property mustConfirm whether a person must be asked before the function runs.
 */
public data class PendingCall(
    public val id: Int,
    public val name: String,
    public val arguments: String,
    public val mustConfirm: Boolean,
)

/** What came of a call. */
public sealed interface ToolResult {
    /**
     * What the function gave: a text, or JSON.
     *
     * @property text at most 64 KiB.
     */
    public data class Done(
        public val text: String,
    ) : ToolResult

    /**
     * The function failed.
     *
     * @property reason why, for the model.
     */
    public data class Failed(
        public val reason: String,
    ) : ToolResult

    /** The person did not allow it. */
    public data object Refused : ToolResult
}

/**
 * A call as the report has it.
 *
 * @property name the tool.
 * @property end how it ended.
 * @property receipt the receipt of the round that called it. Absent without a policy.
 */
public data class CallReport(
    public val name: String,
    public val end: CallEnd,
    public val receipt: Long?,
)

/** How a call ended. */
public enum class CallEnd {
    /** The function ran. */
    DONE,

    /** The function failed. */
    FAILED,

    /** The person did not allow it. */
    REFUSED,

    /** The policy does not allow it. */
    NOT_ALLOWED,

    /** It took too long. */
    TIMED_OUT,

    /** There were too many calls before it. */
    TOO_MANY,

    /** The app gave no result. */
    DROPPED,
}
