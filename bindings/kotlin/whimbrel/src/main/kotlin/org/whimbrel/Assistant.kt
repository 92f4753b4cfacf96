package org.whimbrel

import kotlinx.coroutines.flow.Flow
import org.whimbrel.ffi.presetText
import org.whimbrel.ffi.Assistant as CoreAssistant
import org.whimbrel.ffi.AssistantOptions as CoreAssistantOptions
import org.whimbrel.ffi.recoverStore as coreRecoverStore
import org.whimbrel.ffi.restartLedger as coreRestartLedger
import org.whimbrel.ffi.startStoreEmpty as coreStartStoreEmpty
import org.whimbrel.ffi.wipeStore as coreWipeStore

/**
 * Options for opening an assistant.
 *
 * @property store the path of the store: one file with the ledger, kept conversations and queued questions. The file is
 *   created if it does not exist; its folder must exist.
 * @property vault the vault that stores keys. Each store needs its own vault.
 * @property appPolicy the app's policy.
 * @property userPolicy the user's policy, which can only make the app's stricter.
 * @property userWords words to redact in addition to what is recognised.
 */
public class AssistantOptions(
    public val store: String,
    public val vault: KeyVault,
    public val appPolicy: PolicyDocument,
    public val userPolicy: PolicyDocument? = null,
    public val userWords: List<String> = emptyList(),
)

/**
 * Takes questions, decides under a policy where each one is answered, redacts text that may only leave redacted, and
 * writes a receipt for every request. No function blocks its caller.
 */
public class Assistant private constructor(
    private val core: CoreAssistant,
) : AutoCloseable {
    /** The conversations that are kept beside the ledger. */
    public val conversations: Conversations = Conversations(core.conversations())

    /** The questions that wait until they can be answered. */
    public val outbox: Outbox = Outbox(core.outbox())

    /** What is kept only to save time. */
    public val caches: Caches = Caches { core.caches() }

    /** Starts a conversation that is not kept. For one that is, see [Conversations.create]. */
    public fun conversation(options: ConversationOptions = ConversationOptions()): Conversation =
        translated { Conversation(core.conversation(options.toCore())) }

    /**
     * Answers a question outside any conversation. The last message is the question. As with [Conversation.ask], each
     * collection asks, and [tools] carry out calls. A call of any other tool ends when its time is over.
     */
    public fun answer(
        messages: List<Message>,
        options: AskOptions = AskOptions(),
        tools: Tools? = null,
    ): Flow<Event> =
        answerFlow(tools) {
            AnswerInProgress(core.answer(messages.map { it.toCore() }, options.with(tools).toCore()))
        }

    /**
     * Does a [task] with a [text]. As with [Conversation.ask], each collection asks.
     */
    public fun task(
        task: TextTask,
        text: String,
        options: TaskOptions = TaskOptions(),
    ): Flow<Event> = answerFlow { core.task(task.core, text, options.toCore()) }

    /** Sets the model on this device that answers from the next question on; `null` removes it. */
    public fun setModel(model: LanguageModel?): Unit = translated { core.setModel(model?.core) }

    /** Sets the system's model that the app provides; `null` removes it. */
    public fun setSystemModel(model: SystemModel?): Unit =
        translated { core.setSystemModel(model?.let(::ForeignSystemModel)) }

    /** Tells the system's model, if one is set, to prepare for a question. */
    public fun prewarmSystemModel(): Unit = translated { core.prewarmSystemModel() }

    /** Reports the current state of the device. */
    public fun updateDevice(update: DeviceUpdate): Unit = translated { core.updateDevice(update.toCore()) }

    /**
     * Replaces both policies from the next question on.
     *
     * @throws WhimbrelException.Policy if a document is refused. The previous policies then stay in force.
     */
    public fun setPolicies(
        app: PolicyDocument,
        user: PolicyDocument? = null,
    ): Unit = translated { core.setPolicies(app.toCore(), user?.toCore()) }

    /**
     * Replaces the user's policy, which can only make the app's stricter.
     *
     * @throws WhimbrelException.Policy if the document is refused. The previous policies then stay in force.
     */
    public fun setUserPolicy(user: PolicyDocument?): Unit = translated { core.setUserPolicy(user?.toCore()) }

    /** Sets words to redact in addition to what is recognised, from the next question on. */
    public fun setUserWords(words: List<String>): Unit = translated { core.setUserWords(words) }

    /** Sets connection settings of an endpoint that are not part of the policy. */
    public fun setEndpoint(
        endpointId: String,
        extras: EndpointExtras,
    ): Unit = translated { core.setEndpoint(endpointId, extras.toCore()) }

    /** Keeps the key of an endpoint of the policy in the vault, or forgets it. A key for an endpoint that the policy does not have is refused. */
    public suspend fun setKey(
        endpointId: String,
        key: String?,
    ): Unit = awaited { core.setKey(endpointId, key) }

    /**
     * Records the user's feedback on an answer. It is stored beside the receipt ([Report.receipt]), and the choice of
     * places learns from it.
     */
    public suspend fun feedback(
        receipt: Long,
        signal: Signal,
    ): Unit = awaited { core.feedback(receipt.atLeastZero("receipt"), signal.toCore()) }

    /** Whether the assistant learns from feedback and uses what it learned. */
    public fun learning(): LearningMode = translated { core.learning().toPublic() }

    /** Switches learning on, freezes it, or switches it off. */
    public suspend fun setLearning(mode: LearningMode): Unit = awaited { core.setLearning(mode.toCore()) }

    /** Forgets everything that was learned. */
    public suspend fun resetLearning(): Unit = awaited { core.resetLearning() }

    /** [text] with its findings replaced: what an endpoint would get that may only get redacted text. */
    public suspend fun redact(text: String): RedactedText = awaited { core.redact(text).toPublic() }

    /** A page of receipts, newest first; at most 1,000. */
    public suspend fun receipts(
        filter: ReceiptFilter = ReceiptFilter(),
        max: Int = RECEIPTS_A_PAGE,
    ): List<Receipt> = awaited { core.receipts(filter.toCore(), max.atLeastZero("max")).map { it.toPublic() } }

    /**
     * One receipt.
     *
     * @throws WhimbrelException.Ledger if there is no receipt with this number, or it was pruned.
     */
    public suspend fun receipt(id: Long): Receipt = awaited { core.receipt(id.atLeastZero("id")).toPublic() }

    /** Checks whether the ledger is intact. The report names every problem. */
    public suspend fun verifyLedger(): LedgerReport = awaited { core.verifyLedger().toPublic() }

    /** Writes the ledger to a new file, which only its owner can read, as lines of JSON that `whimbrel ledger verify` checks. */
    public suspend fun exportLedger(path: String): Unit = awaited { core.exportLedger(path) }

    /** The totals of the receipts between two times, in milliseconds since 1970; without limits, of all receipts. */
    public suspend fun stats(
        host: Host = Host.PHONE,
        fromMs: Long? = null,
        untilMs: Long? = null,
    ): LedgerStats =
        awaited {
            core.stats(fromMs?.atLeastZero("fromMs"), untilMs?.atLeastZero("untilMs"), host.toCore()).toPublic()
        }

    /**
     * The requests that were in progress when the last process that used this ledger was ended without having closed it:
     * by a crash, or by a system that needed the memory. Empty after an orderly end.
     */
    public fun endings(): List<RequestEnding> = translated { core.endings().map { it.toPublic() } }

    /**
     * What requests took: times, tokens, memory and energy, by model and task and by day. Everything is counted on this
     * device; see [telemetry] for what may leave it.
     */
    public suspend fun performance(): Performance = awaited { core.performance().toPublic() }

    /**
     * The same as a page for people: one HTML text that needs no network. [host] is what the device is called on it.
     */
    public suspend fun performancePage(host: Host = Host.PHONE): String =
        awaited { core.performancePage(host.toCore()) }

    /** The telemetry. It does something where the app's policy has a section `telemetry`. */
    public fun telemetry(): Telemetry = translated { Telemetry(core.telemetry()) }

    /** Forgets what requests took, and counts from now on. The ledger keeps its receipts. */
    public suspend fun resetPerformance(): Unit = awaited { core.resetPerformance() }

    /**
     * Removes old receipts. The rest can still be verified, starting at the returned checkpoint. Returns `null` if
     * nothing was removed.
     *
     * @throws WhimbrelException.InvalidOption if [prune] does not say what to remove.
     */
    public suspend fun pruneLedger(prune: Prune): Checkpoint? = awaited { core.pruneLedger(prune.toCore())?.toPublic() }

    /**
     * Whether the vault has not yet stored the end of the ledger. Until it has, the newest entries could be removed
     * unnoticed.
     */
    public suspend fun isLedgerFloorBehind(): Boolean = awaited { core.isLedgerFloorBehind() }

    /**
     * Cancels all answers and closes the ledger. Conversations refuse further questions. Returns at once, and may be
     * called again.
     */
    override fun close(): Unit = core.release()

    /** Like [close], and waits until the ledger is closed and may be opened again. Safe to call again. */
    public suspend fun shutdown() {
        // Also where the caller is cancelled and cannot wait.
        close()
        awaited { core.shutdown() }
    }

    public companion object {
        /** The default page size of [receipts]. */
        public const val RECEIPTS_A_PAGE: Int = 100

        /**
         * Opens the ledger and reads the policies. Receipts that an earlier process left unfinished are closed as
         * interrupted.
         *
         * @throws WhimbrelException.Library when the native library is missing or cannot be used.
         * @throws WhimbrelException.Policy when a document is refused.
         * @throws WhimbrelException.Ledger when the ledger is in use, damaged or was tampered with.
         * @throws WhimbrelException.Vault when the key vault fails.
         */
        public suspend fun open(options: AssistantOptions): Assistant =
            awaited {
                Assistant(
                    CoreAssistant.open(
                        CoreAssistantOptions(
                            store = options.store,
                            vault = ForeignVault(options.vault),
                            appPolicy = options.appPolicy.toCore(),
                            userPolicy = options.userPolicy?.toCore(),
                            userWords = options.userWords,
                        ),
                    ),
                )
            }

        /**
         * Starts a new, empty ledger at [path] if the old one can no longer be opened because its vault is gone: [open]
         * then fails with [WhimbrelException.Ledger] and the problem `foreign`. The old file is kept under another
         * name, which is returned if there was one. No assistant may have the ledger open.
         */
        public suspend fun restartLedger(
            path: String,
            vault: KeyVault,
        ): String? = awaited { coreRestartLedger(path, ForeignVault(vault)) }

        /**
         * Destroys everything of the store at [path]: first the key, so that nothing can be read from this moment on,
         * then conversations, queued questions and the ledger. If the process ends in between, the next call finishes,
         * or the next opening. Secrets of the app, such as the keys of endpoints, stay in the vault. Nobody may have the
         * store open, otherwise this fails with [WhimbrelException.Ledger] and the problem `in_use`.
         */
        public suspend fun wipe(
            path: String,
            vault: KeyVault,
        ): Unit = awaited { coreWipeStore(path, ForeignVault(vault)) }

        /**
         * Gives up what can no longer be read in the store at [path] because the vault lost its keys
         * ([WhimbrelException.Sealed], or [WhimbrelException.Vault] that is invalidated), so that it can be used again.
         * The ledger stays as it is. If its key is lost too, it is put aside and another one begins; the result is its
         * new path then. If no key is lost, nothing changes. Nobody may have the store open.
         */
        public suspend fun startEmpty(
            path: String,
            vault: KeyVault,
        ): String? = awaited { coreStartStoreEmpty(path, ForeignVault(vault)) }

        /**
         * Takes over what the damaged database of the store at [path] still has ([WhimbrelException.Ledger] with the
         * problem `damaged`), and puts it aside. Nobody may have the store open.
         */
        public suspend fun recover(
            path: String,
            vault: KeyVault,
        ): Recovered = awaited { coreRecoverStore(path, ForeignVault(vault)).toPublic() }
    }
}

/** The text of a policy that comes with the core, in TOML. The first use in a process loads the native library and waits for it. */
public val Preset.text: String
    get() {
        CoreLibrary.loadNow()
        return presetText(toCore())
    }
