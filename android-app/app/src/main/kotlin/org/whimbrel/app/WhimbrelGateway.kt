package org.whimbrel.app

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import org.whimbrel.AskOptions
import org.whimbrel.Assistant
import org.whimbrel.AssistantOptions
import org.whimbrel.Conversation
import org.whimbrel.ConversationOptions
import org.whimbrel.ConversationSummary
import org.whimbrel.Event
import org.whimbrel.GenerationOptions
import org.whimbrel.KeyVault
import org.whimbrel.LanguageModel
import org.whimbrel.MemoryPressure
import org.whimbrel.OpenOptions
import org.whimbrel.OutboxEvent
import org.whimbrel.OutboxRun
import org.whimbrel.Outcome
import org.whimbrel.PolicyDocument
import org.whimbrel.Preset
import org.whimbrel.QueuedQuestion
import org.whimbrel.Receipt
import org.whimbrel.RunBudget
import org.whimbrel.SearchHit
import org.whimbrel.WhimbrelClient
import org.whimbrel.WhimbrelException
import java.io.File
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes

/**
 * How the app uses the package.
 *
 * @property store the file of conversations, questions that wait, and receipts.
 * @property vault what they are sealed with.
 * @property device what the policy and the outbox are told of the phone.
 * @property policy says where answers are made.
 * @property opening how models are opened.
 * @property conversation how conversations are opened.
 * @property generation how an answer is made; called for each.
 * @property runTime for how long the outbox may run in the background.
 */
class GatewayOptions(
    val store: File,
    val vault: KeyVault,
    val device: DeviceState,
    val policy: PolicyDocument = PolicyDocument.OfPreset(Preset.PRIVATE),
    val opening: OpenOptions = OpenOptions(),
    val conversation: ConversationOptions = ConversationOptions(),
    val generation: () -> GenerationOptions = { GenerationOptions() },
    // WorkManager stops work after ten minutes.
    val runTime: Duration = 8.minutes,
)

/**
 * The one assistant and the one model of the app. A screen and the work in the background use the same; when the last
 * of them has gone, both are closed.
 */
class SharedAssistant(
    private val options: GatewayOptions,
    private val background: CoroutineDispatcher = Dispatchers.Default,
) {
    private val turn = Mutex()
    private var users = 0
    private var client: WhimbrelClient? = null
    private var assistant: Assistant? = null
    private var model: LanguageModel? = null
    private var reporting: Job? = null

    /** Opens it for one more user. */
    suspend fun acquire(): Assistant =
        turn.withLock {
            // An assistant that nobody holds would keep the store.
            val open = assistant ?: withContext(NonCancellable + background) { open() }
            users++
            open
        }

    /** One user fewer. */
    fun release() {
        CoroutineScope(background).launch {
            turn.withLock { if (--users == 0) close() }
        }
    }

    /** Opens a model in place of the one before, or, unless it [replaces] that, where there is none. */
    suspend fun openModel(
        folder: File,
        replaces: Boolean,
    ): OpenModel =
        turn.withLock {
            val before = model
            if (before != null && !replaces) return before.described()
            closeModelNow()
            withContext(background) {
                val client = client ?: WhimbrelClient().also { client = it }
                val opened = client.openModel(folder.path, options.opening)
                model = opened
                assistant?.setModel(opened)
                opened.described()
            }
        }

    /** Gives memory back that can be filled again, if the assistant is open. Does not wait for that. */
    fun trimMemory(pressure: MemoryPressure) {
        CoroutineScope(background).launch {
            try {
                turn.withLock { assistant?.caches?.trim(pressure) }
            } catch (error: WhimbrelException) {
                // The store cannot be written just now. What is only in memory is dropped when the system asks again.
            }
        }
    }

    suspend fun closeModel() = turn.withLock { closeModelNow() }

    private fun LanguageModel.described() = info.let { OpenModel(it.name, it.limits) }

    private fun closeModelNow() {
        model?.close()
        model = null
    }

    private suspend fun open(): Assistant {
        storeTurn.lock()
        val opened =
            try {
                openStore()
            } catch (error: Throwable) {
                storeTurn.unlock()
                throw error
            }
        assistant = opened
        opened.updateDevice(options.device.read())
        reporting = CoroutineScope(background).launch { options.device.changes().collect(opened::updateDevice) }
        return opened
    }

    private suspend fun openStore(): Assistant {
        options.store.parentFile?.mkdirs()
        val assistant = AssistantOptions(options.store.path, options.vault, options.policy)
        return try {
            Assistant.open(assistant)
        } catch (error: WhimbrelException) {
            // The system took the key away, as when the screen lock is removed. Nothing can read what was sealed with it.
            if (!error.isKeyLost()) throw error
            Assistant.startEmpty(options.store.path, options.vault)
            Assistant.open(assistant)
        }
    }

    private fun WhimbrelException.isKeyLost() =
        (this is WhimbrelException.Vault && isInvalidated) ||
            (this is WhimbrelException.Ledger && problem == "foreign")

    private suspend fun close() {
        reporting?.cancelAndJoin()
        closeModelNow()
        assistant?.shutdown()
        assistant = null
        client?.close()
        client = null
        storeTurn.unlock()
    }

    private companion object {
        /** One assistant at a time has a store: the next one waits until the one before let go of it. */
        val storeTurn = Mutex()
    }
}

/** The real package behind the app, for one user of the [shared] assistant. */
class WhimbrelGateway(
    private val shared: SharedAssistant,
    private val options: GatewayOptions,
) : ModelGateway {
    private val turn = Mutex()
    private var assistant: Assistant? = null
    private var isClosed = false

    override suspend fun openModel(folder: File): OpenModel {
        open()
        return shared.openModel(folder, replaces = true)
    }

    override suspend fun needModel(folder: File) {
        open()
        shared.openModel(folder, replaces = false)
    }

    override suspend fun closeModel() = shared.closeModel()

    override suspend fun kept(): Kept = AssistantKept(open(), options)

    private suspend fun open(): Assistant =
        turn.withLock {
            assistant?.let { return it }
            val opened = withContext(NonCancellable) { shared.acquire() }
            val isLate = synchronized(this) { isClosed.also { if (!it) assistant = opened } }
            if (isLate) shared.release()
            opened
        }

    override fun close() {
        val isOpen =
            synchronized(this) {
                isClosed = true
                (assistant != null).also { assistant = null }
            }
        if (isOpen) shared.release()
    }
}

private class AssistantKept(
    private val assistant: Assistant,
    private val options: GatewayOptions,
) : Kept {
    override val conversations = AssistantConversations(assistant, options)

    override val outbox = AssistantQueue(assistant, options)

    override suspend fun origin(receipt: Long): Origin? =
        try {
            assistant.receipt(receipt).toOrigin()
        } catch (error: WhimbrelException.Ledger) {
            // It may have been pruned.
            null
        }

    private fun Receipt.toOrigin() =
        Origin(
            provenance(place, id, summary = null, bytesOut),
            when (outcome) {
                Outcome.CANCELLED -> Ending.STOPPED
                Outcome.FAILED -> Ending.FAILED
                else -> null
            },
        )
}

private class AssistantConversations(
    private val assistant: Assistant,
    private val options: GatewayOptions,
) : KeptConversations {
    private val kept = assistant.conversations

    override val changes = kept.changes

    override suspend fun list(
        after: ConversationSummary?,
        max: Int,
    ): List<ConversationSummary> = kept.list(after, max)

    override suspend fun search(
        text: String,
        max: Int,
    ): List<SearchHit> = kept.search(text, max)

    override suspend fun lastMessage(id: String): String? =
        kept
            .show(id)
            .messages
            .lastOrNull()
            ?.content

    override suspend fun create(): ChatSession = session(kept.create(options = options.conversation))

    override suspend fun open(id: String): ChatSession = session(kept.open(id, options.conversation))

    private fun session(conversation: Conversation) = AssistantSession(conversation, assistant, options)

    override suspend fun rename(
        id: String,
        title: String,
    ) = kept.rename(id, title)

    override suspend fun pin(
        id: String,
        isPinned: Boolean,
    ) = kept.pin(id, isPinned)

    override suspend fun delete(id: String) = kept.delete(id)
}

private class AssistantSession(
    private val conversation: Conversation,
    private val assistant: Assistant,
    private val options: GatewayOptions,
) : ChatSession {
    override val id: String = checkNotNull(conversation.id) { "a kept conversation has an id" }

    override fun messages() = conversation.messages()

    override fun ask(question: String): Flow<Event> {
        assistant.updateDevice(options.device.read())
        return conversation.ask(question, AskOptions(generation = options.generation()))
    }

    override fun stop() = conversation.stop()

    override suspend fun leave() {
        try {
            conversation.settled()
        } catch (error: WhimbrelException) {
            // It was deleted meanwhile, or is answering again: closing ends that.
        } finally {
            conversation.close()
        }
    }
}

private class AssistantQueue(
    private val assistant: Assistant,
    private val options: GatewayOptions,
) : QuestionQueue {
    private val outbox = assistant.outbox

    override val news: Flow<String?> = outbox.events.map { (it as? OutboxEvent.Changed)?.conversation }

    override suspend fun list(): List<QueuedQuestion> = outbox.list()

    override suspend fun start() = outbox.start()

    override suspend fun runDue(): OutboxRun {
        assistant.updateDevice(options.device.read())
        return outbox.runDue(RunBudget(within = options.runTime))
    }

    override suspend fun confirm(id: Long) = outbox.confirm(id)

    override suspend fun retry(id: Long) = outbox.retry(id)

    override suspend fun cancel(id: Long) = outbox.cancel(id)

    override suspend fun edit(
        id: Long,
        text: String,
    ) = outbox.edit(id, text)
}
