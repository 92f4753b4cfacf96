package org.whimbrel

/**
 * Everything that can go wrong. No message ever holds text of a user or of a model, so that all of it may be logged.
 *
 * @property code a stable name of the case, as in `context_full`.
 */
public sealed class WhimbrelException(
    public val code: String,
    detail: String,
    cause: Throwable?,
) : Exception("$code: $detail", cause) {
    /**
     * The native library cannot be used; [reason] says what to do. [problem] is a stable word: `missing` when it was not found, `unloadable`
     * when the system cannot load it, `other_version` when it does not belong to this package. Until the app is built or started differently,
     * every call fails alike.
     */
    public class Library internal constructor(
        public val problem: String,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("library", "$problem: $reason", cause)

    /** There is no model bundle in the folder, or a file of it is missing or cannot be read. */
    public class BundleMissing internal constructor(
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("bundle_missing", reason, cause)

    /** The bundle is damaged: fetch it again. */
    public class BundleCorrupt internal constructor(
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("bundle_corrupt", reason, cause)

    /** The bundle is intact, but this version cannot run it. */
    public class UnsupportedBundle internal constructor(
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("unsupported_bundle", reason, cause)

    /** The question needs [needed] tokens with room for an answer, the context holds [limit]. */
    public class ContextFull internal constructor(
        public val needed: Long,
        public val limit: Long,
        cause: Throwable?,
    ) : WhimbrelException("context_full", "$needed tokens needed, $limit available", cause)

    /** [option] must be [expected] and was [found]. */
    public class InvalidOption internal constructor(
        public val option: String,
        public val expected: String,
        public val found: String,
        cause: Throwable?,
    ) : WhimbrelException("invalid_option", "$option must be $expected, not $found", cause)

    /** The client, the model, the conversation or the assistant ([what]) was closed before. */
    public class Closed internal constructor(
        public val what: String,
        cause: Throwable?,
    ) : WhimbrelException("closed", "the $what is closed", cause)

    /** The conversation is still answering the question before. */
    public class Busy internal constructor(
        cause: Throwable?,
    ) : WhimbrelException("busy", "the conversation is still answering", cause)

    /** There is no question to ask again. */
    public class NothingToRepeat internal constructor(
        cause: Throwable?,
    ) : WhimbrelException("nothing_to_repeat", "there is no question to ask again", cause)

    /** Only a conversation of an [Assistant] can explain a decision: with one model alone no rules decide. */
    public class NoPolicy internal constructor(
        cause: Throwable?,
    ) : WhimbrelException("no_policy", "this conversation has no policy", cause)

    /** Only a model of this device has something to save. */
    public class NoModel internal constructor(
        cause: Throwable?,
    ) : WhimbrelException("no_model", "there is no model on this device", cause)

    /**
     * A document with rules was refused whole, for [reason]; the rules before it are still in force. [line] and [column] count
     * from 1, and are 0 when the reason is not about one place; [path] names the field.
     */
    public class Policy internal constructor(
        public val line: Int,
        public val column: Int,
        public val path: String,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("policy", "line $line, column $column, $path: $reason", cause)

    /**
     * The ledger cannot be opened, read or written; nothing leaves the device without a receipt. [problem] is a stable word:
     * `in_use`, `foreign`, `tampered`, `full`, `unknown_receipt` and others. With `foreign` the vault is not the ledger's own: when that is gone,
     * [Assistant.restartLedger] begins another ledger.
     */
    public class Ledger internal constructor(
        public val problem: String,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("ledger", "$problem: $reason", cause)

    /** The key vault failed; when it [isLocked], trying again later may help. */
    public class Vault internal constructor(
        public val reason: String,
        public val isLocked: Boolean,
        cause: Throwable?,
    ) : WhimbrelException("vault", reason, cause)

    /** There would have been [found] of [what], the limit is [limit]. */
    public class LimitExceeded internal constructor(
        public val what: String,
        public val limit: Long,
        public val found: Long,
        cause: Throwable?,
    ) : WhimbrelException("limit_exceeded", "$found $what, the limit is $limit", cause)

    /** There is no memory for a context of [contextLength] tokens, which needs [bytes]. */
    public class OutOfMemory internal constructor(
        public val contextLength: Int,
        public val bytes: Long,
        cause: Throwable?,
    ) : WhimbrelException("out_of_memory", "no $bytes bytes for a context of $contextLength tokens", cause)

    /** A defect in Whimbrel; [number] tells which, 0 that the call itself failed. */
    public class Internal internal constructor(
        public val number: Int,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("internal", "$number: $reason", cause)
}
