package org.whimbrel

/**
 * All errors of Whimbrel. No message ever contains text from a user or a model, so all of them may be logged.
 *
 * @property code a stable name of the case, such as `context_full`.
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

    /** The bundle is damaged. Download it again. */
    public class BundleCorrupt internal constructor(
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("bundle_corrupt", reason, cause)

    /** The bundle is intact, but this version cannot run it. */
    public class UnsupportedBundle internal constructor(
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("unsupported_bundle", reason, cause)

    /** The question needs [needed] tokens, including room for an answer, but the context has [limit]. */
    public class ContextFull internal constructor(
        public val needed: Long,
        public val limit: Long,
        cause: Throwable?,
    ) : WhimbrelException("context_full", "$needed tokens needed, $limit available", cause)

    /** [option] must be [expected] but was [found]. */
    public class InvalidOption internal constructor(
        public val option: String,
        public val expected: String,
        public val found: String,
        cause: Throwable?,
    ) : WhimbrelException("invalid_option", "$option must be $expected, not $found", cause)

    /** The client, the model, the conversation or the assistant ([what]) was already closed. */
    public class Closed internal constructor(
        public val what: String,
        cause: Throwable?,
    ) : WhimbrelException("closed", "the $what is closed", cause)

    /** The conversation is still answering the previous question. */
    public class Busy internal constructor(
        cause: Throwable?,
    ) : WhimbrelException("busy", "the conversation is still answering", cause)

    /** No call [id] of the answer in progress waits for a result: its time may be over, or it has one. */
    public class UnknownCall internal constructor(
        public val id: Int,
        cause: Throwable?,
    ) : WhimbrelException("unknown_call", "no call $id waits for a result", cause)

    /** Questions of the conversation wait in the outbox, and one with tools cannot. */
    public class ToolsCannotWait internal constructor(
        cause: Throwable?,
    ) : WhimbrelException(
            "tools_cannot_wait",
            "questions of this conversation wait, and one with tools cannot",
            cause,
        )

    /** There is no question to ask again. */
    public class NothingToRepeat internal constructor(
        cause: Throwable?,
    ) : WhimbrelException("nothing_to_repeat", "there is no question to ask again", cause)

    /** Only a conversation of an [Assistant] can explain a decision. With one model alone there is no policy. */
    public class NoPolicy internal constructor(
        cause: Throwable?,
    ) : WhimbrelException("no_policy", "this conversation has no policy", cause)

    /** The app's policy does not say where telemetry may go. */
    public class NoTelemetry internal constructor(
        cause: Throwable?,
    ) : WhimbrelException("no_telemetry", "the app's policy has no section telemetry", cause)

    /** Only a model on this device has something to save. */
    public class NoModel internal constructor(
        cause: Throwable?,
    ) : WhimbrelException("no_model", "there is no model on this device", cause)

    /**
     * A policy document was refused as a whole, for [reason]. The previous policies stay in force. [line] and [column]
     * count from 1; they are 0 if the error does not concern one position. [path] names the field.
     */
    public class Policy internal constructor(
        public val line: Int,
        public val column: Int,
        public val path: String,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("policy", "line $line, column $column, $path: $reason", cause)

    /**
     * The ledger, or the store that it is in, cannot be opened, read or written. Nothing leaves the device without a receipt. [problem] is a stable
     * word: `in_use`, `foreign`, `tampered`, `full`, `unknown_receipt` and others. `foreign` means that the vault does
     * not belong to this ledger. If its own vault is gone, [Assistant.restartLedger] starts a new ledger.
     */
    public class Ledger internal constructor(
        public val problem: String,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("ledger", "$problem: $reason", cause)

    /**
     * A GGUF file could not be made into a bundle, and nothing is left of it. [problem] is a stable word: `missing` (the
     * file or a part of it), `unreadable`, `invalid`, `not_supported`, `changed`, `disk_full`, `file`, `cancelled`, or
     * `unavailable` where the native library was built without GGUF files.
     */
    public class Import internal constructor(
        public val problem: String,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("import", "$problem: $reason", cause)

    /**
     * The key vault failed. If it [isLocked], a later call may succeed. If it [isInvalidated], its secrets are lost for
     * good, and [Assistant.startEmpty] gives up what was sealed with them.
     */
    public class Vault internal constructor(
        public val reason: String,
        public val isLocked: Boolean,
        public val isInvalidated: Boolean,
        cause: Throwable?,
    ) : WhimbrelException("vault", reason, cause)

    /**
     * Encrypted data cannot be read; everything else in the store still works. [problem] is a stable word: `key_lost`
     * (the vault has no data key any more), `wrong_key` (it has another store's) or `keys_unreadable`, after which
     * [Assistant.startEmpty] gives up what was sealed; `value_changed`, after which [Conversations.repair] gives up
     * single values; or `file_changed` for a cached file.
     */
    public class Sealed internal constructor(
        public val problem: String,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("sealed", "$problem: $reason", cause)

    /** There is no such [what] (`conversation`, `message`, `queued question`) with this [id]: it may have been deleted, or answered. */
    public class NotFound internal constructor(
        public val what: String,
        public val id: String,
        cause: Throwable?,
    ) : WhimbrelException("not_found", "there is no $what $id", cause)

    /**
     * A queued question cannot be changed so. [problem] is a stable word: `sending` (it is being sent at this moment) or
     * `not_asked` (it does not wait for confirmation).
     */
    public class Outbox internal constructor(
        public val problem: String,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("outbox", "$problem: $reason", cause)

    /**
     * A document with conversations cannot be imported, and nothing was added. [problem] is a stable word: `unreadable`,
     * `malformed`, `other_format` or `newer`. [line] and [column] count from 1; they are 0 if the error does not concern
     * one position.
     */
    public class Document internal constructor(
        public val problem: String,
        public val line: Int,
        public val column: Int,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("document", "$problem: $reason", cause)

    /**
     * There is no [Schema] of a type. [place] is where in it, from the type's name on, and [reason] what cannot be said
     * there. Nothing was asked.
     */
    public class UnsupportedType internal constructor(
        public val place: String,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("unsupported_type", "$place: $reason", cause)

    /**
     * There is no whole answer to make a value of: it was denied or deferred, it failed (with the code `not_in_form` if it
     * ended too early), or it was stopped. [report] says why.
     */
    public class NoAnswer internal constructor(
        public val report: Report,
        cause: Throwable?,
    ) : WhimbrelException(
            "no_answer",
            listOfNotNull(report.outcome.name.lowercase(), report.code).joinToString(),
            cause,
        )

    /**
     * The answer has its form, but the serializer of [type] refuses it: the type asks for more than a schema can say. The
     * text is the conversation's last message.
     */
    public class ValueRefused internal constructor(
        public val type: String,
        cause: Throwable?,
    ) : WhimbrelException("value_refused", "the serializer of $type refuses the answer", cause)

    /** [what] was [found], which exceeds the limit of [limit]. */
    public class LimitExceeded internal constructor(
        public val what: String,
        public val limit: Long,
        public val found: Long,
        cause: Throwable?,
    ) : WhimbrelException("limit_exceeded", "$found $what, the limit is $limit", cause)

    /**
     * There is not enough memory for the model, or for a context of [contextLength] tokens, which needs [bytes].
     * [contextLength] is 0 if it was the model.
     */
    public class OutOfMemory internal constructor(
        public val contextLength: Int,
        public val bytes: Long,
        cause: Throwable?,
    ) : WhimbrelException("out_of_memory", "not enough memory ($bytes bytes needed)", cause)

    /** A bug in Whimbrel. [number] identifies it; 0 means that the call itself failed. */
    public class Internal internal constructor(
        public val number: Int,
        public val reason: String,
        cause: Throwable?,
    ) : WhimbrelException("internal", "$number: $reason", cause)
}
