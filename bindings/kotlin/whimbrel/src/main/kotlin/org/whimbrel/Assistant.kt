package org.whimbrel

import kotlinx.coroutines.flow.Flow
import org.whimbrel.ffi.presetText
import org.whimbrel.ffi.Assistant as CoreAssistant
import org.whimbrel.ffi.AssistantOptions as CoreAssistantOptions
import org.whimbrel.ffi.restartLedger as coreRestartLedger

/**
 * What an assistant is opened with.
 *
 * @property store the file of the ledger, which is made when it is not there. Its folder must exist.
 * @property vault where keys are kept. One vault belongs to one ledger.
 * @property appPolicy the app's rules.
 * @property userPolicy the user's rules, which can only tighten the app's.
 * @property userWords words to redact besides what is recognised.
 */
public class AssistantOptions(
    public val store: String,
    public val vault: KeyVault,
    public val appPolicy: PolicyDocument,
    public val userPolicy: PolicyDocument? = null,
    public val userWords: List<String> = emptyList(),
)

/**
 * Takes questions, decides under rules where each is answered, redacts what may only leave redacted, and writes a receipt for
 * everything. Nothing here blocks its caller.
 */
public class Assistant private constructor(
    private val core: CoreAssistant,
) : AutoCloseable {
    /** Starts a conversation. */
    public fun conversation(options: ConversationOptions = ConversationOptions()): Conversation =
        translated { Conversation(core.conversation(options.toCore())) }

    /** Answers messages that belong to no conversation; the last one is the question. As with [Conversation.ask], each collection asks. */
    public fun answer(
        messages: List<Message>,
        options: AskOptions = AskOptions(),
    ): Flow<Event> = answerFlow { core.answer(messages.map { it.toCore() }, options.toCore()) }

    /** The model of this device that answers from the next question on; `null` takes it away. */
    public fun setModel(model: LanguageModel?): Unit = translated { core.setModel(model?.core) }

    /** The system's model, as the app reaches it; `null` takes it away. */
    public fun setSystemModel(model: SystemModel?): Unit =
        translated { core.setSystemModel(model?.let(::ForeignSystemModel)) }

    /** Tells the system's model, if there is one, that a question may come soon. */
    public fun prewarmSystemModel(): Unit = translated { core.prewarmSystemModel() }

    /** Takes in what the app knows about the device now. */
    public fun updateDevice(update: DeviceUpdate): Unit = translated { core.updateDevice(update.toCore()) }

    /**
     * Puts other rules in force, from the next question on.
     *
     * @throws WhimbrelException.Policy the rules are then as they were.
     */
    public fun setPolicies(
        app: PolicyDocument,
        user: PolicyDocument? = null,
    ): Unit = translated { core.setPolicies(app.toCore(), user?.toCore()) }

    /**
     * Puts other rules of the user's in force, which can only tighten the app's.
     *
     * @throws WhimbrelException.Policy the rules are then as they were.
     */
    public fun setUserPolicy(user: PolicyDocument?): Unit = translated { core.setUserPolicy(user?.toCore()) }

    /** Words to redact besides what is recognised, from the next question on. */
    public fun setUserWords(words: List<String>): Unit = translated { core.setUserWords(words) }

    /** What the app knows about an endpoint of the policy besides what stands there. */
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
     * Takes in what the user thought of an answer: it is kept beside the receipt ([Report.receipt]), and the choice of places
     * learns from it.
     */
    public suspend fun feedback(
        receipt: Long,
        signal: Signal,
    ): Unit = awaited { core.feedback(receipt.atLeastZero("receipt"), signal.toCore()) }

    /** Whether feedback is learned from and used. */
    public fun learning(): LearningMode = translated { core.learning().toPublic() }

    /** Switches learning on, freezes it, or switches it off. */
    public suspend fun setLearning(mode: LearningMode): Unit = awaited { core.setLearning(mode.toCore()) }

    /** Forgets everything that was learned. */
    public suspend fun resetLearning(): Unit = awaited { core.resetLearning() }

    /** [text] with its findings replaced: what an endpoint would get that may only get redacted text. */
    public suspend fun redact(text: String): RedactedText = awaited { core.redact(text).toPublic() }

    /** A page of receipts, the newest first; at most 1,000. */
    public suspend fun receipts(
        filter: ReceiptFilter = ReceiptFilter(),
        max: Int = RECEIPTS_A_PAGE,
    ): List<Receipt> = awaited { core.receipts(filter.toCore(), max.atLeastZero("max")).map { it.toPublic() } }

    /**
     * One receipt.
     *
     * @throws WhimbrelException.Ledger when there is none of this number, or it was pruned.
     */
    public suspend fun receipt(id: Long): Receipt = awaited { core.receipt(id.atLeastZero("id")).toPublic() }

    /** Looks whether the ledger is as it was written. What is wrong with it is in the report. */
    public suspend fun verifyLedger(): LedgerReport = awaited { core.verifyLedger().toPublic() }

    /** Writes the ledger to a new file, which only its owner can read, as lines of JSON that `whimbrel ledger verify` checks. */
    public suspend fun exportLedger(path: String): Unit = awaited { core.exportLedger(path) }

    /** What the receipts between two times come to, in milliseconds since 1970; all of them without limits. */
    public suspend fun stats(
        host: Host = Host.PHONE,
        fromMs: Long? = null,
        untilMs: Long? = null,
    ): LedgerStats =
        awaited {
            core.stats(fromMs?.atLeastZero("fromMs"), untilMs?.atLeastZero("untilMs"), host.toCore()).toPublic()
        }

    /**
     * Removes old receipts. What is left can still be verified, from the checkpoint on that is returned; `null` when nothing was removed.
     *
     * @throws WhimbrelException.InvalidOption when [prune] does not say what to remove.
     */
    public suspend fun pruneLedger(prune: Prune): Checkpoint? = awaited { core.pruneLedger(prune.toCore())?.toPublic() }

    /**
     * Whether the vault did not take the end of the ledger with the last entries: until it does, the newest of them can be taken away
     * unnoticed.
     */
    public suspend fun isLedgerFloorBehind(): Boolean = awaited { core.isLedgerFloorBehind() }

    /** Cancels its answers and lets go of the ledger; its conversations take no more questions. Returns at once; safe to call again. */
    override fun close(): Unit = core.release()

    /** Like [close], and waits until the ledger is closed and may be opened again. Safe to call again. */
    public suspend fun shutdown() {
        // Also where the caller is cancelled and cannot wait.
        close()
        awaited { core.shutdown() }
    }

    public companion object {
        /** Receipts that [receipts] lists where nothing else is said. */
        public const val RECEIPTS_A_PAGE: Int = 100

        /**
         * Opens the ledger and reads the rules. Receipts that a process left open are closed as interrupted.
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
         * Begins a new, empty ledger at [path] where the old one cannot be opened any more because its vault is gone: [open] then fails with
         * [WhimbrelException.Ledger] and the problem `foreign`. The old file is kept under another name, which is returned when there was
         * one. No assistant may have the ledger open.
         */
        public suspend fun restartLedger(
            path: String,
            vault: KeyVault,
        ): String? = awaited { coreRestartLedger(path, ForeignVault(vault)) }
    }
}

/** The text of a policy that comes with the core, in TOML. The first use in a process loads the native library and waits for it. */
public val Preset.text: String
    get() {
        CoreLibrary.loadNow()
        return presetText(toCore())
    }
