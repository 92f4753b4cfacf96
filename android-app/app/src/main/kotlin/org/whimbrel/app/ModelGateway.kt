package org.whimbrel.app

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.withContext
import org.whimbrel.AskOptions
import org.whimbrel.Assistant
import org.whimbrel.AssistantOptions
import org.whimbrel.Conversation
import org.whimbrel.ConversationOptions
import org.whimbrel.Event
import org.whimbrel.GenerationOptions
import org.whimbrel.KeyVault
import org.whimbrel.LanguageModel
import org.whimbrel.Message
import org.whimbrel.OpenOptions
import org.whimbrel.PolicyDocument
import org.whimbrel.Preset
import org.whimbrel.WhimbrelClient
import org.whimbrel.WhimbrelException
import java.io.File

// What the app asks of Whimbrel's package, and the package behind it. The interfaces are here so that pictures and
// tests can be made with answers that are always the same.

/** Opens the model of this phone, and answers with it under the app's policy. */
interface ModelGateway : AutoCloseable {
    /** Opens the bundle in [folder], in place of the model before. */
    suspend fun openModel(folder: File): OpenModel

    /** Closes the model, if one is open. */
    fun closeModel()

    /** Starts a conversation that goes on from [history]. A model is open. */
    fun conversation(history: List<Message>): ChatSession
}

/**
 * What people see of an open model.
 *
 * @property name its name.
 * @property limits what to know before trusting it, where its bundle says so.
 */
data class OpenModel(
    val name: String,
    val limits: String?,
)

/** A conversation. */
interface ChatSession {
    /** Asks [question]; as [Conversation.ask]. */
    fun ask(question: String): Flow<Event>

    /** Stops the answer in progress, which then ends with its report. */
    fun stop()

    /** The messages so far, with what is known of their privacy. */
    fun messages(): List<Message>

    /** Forgets everything that was said. */
    fun reset()
}

/**
 * How the app uses the package.
 *
 * @property ledger the file of the receipts.
 * @property vault what the receipts are sealed with.
 * @property opening how models are opened.
 * @property conversation how conversations are kept.
 * @property generation how an answer is made; called for each.
 */
class GatewayOptions(
    val ledger: File,
    val vault: KeyVault,
    val opening: OpenOptions = OpenOptions(),
    val conversation: ConversationOptions = ConversationOptions(),
    val generation: () -> GenerationOptions = { GenerationOptions() },
)

/** The real package: an assistant under the preset `private`, whose ledger is open from the first model on. */
class WhimbrelGateway(
    private val options: GatewayOptions,
    private val background: CoroutineDispatcher = Dispatchers.Default,
) : ModelGateway {
    // Loads the native library, so not before it is needed.
    private val client = lazy { WhimbrelClient() }
    private var assistant: Assistant? = null
    private var model: LanguageModel? = null
    private var isClosed = false

    override suspend fun openModel(folder: File): OpenModel =
        withContext(background) {
            closeModel()
            val opened = client.value.openModel(folder.path, options.opening)
            // An assistant that nobody holds would keep the ledger.
            val assistant = withContext(NonCancellable) { openAssistant() }
            assistant.setModel(opened)
            keep(opened)
            opened.info.let { OpenModel(it.name, it.limits) }
        }

    @Synchronized
    override fun closeModel() {
        model?.close()
        model = null
    }

    override fun conversation(history: List<Message>): ChatSession {
        val assistant = checkNotNull(assistant) { "a model is open before a conversation begins" }
        val conversation = assistant.conversation(options.conversation)
        if (history.isNotEmpty()) conversation.setMessages(history)
        return AssistantSession(conversation)
    }

    override fun close() {
        val assistant =
            synchronized(this) {
                isClosed = true
                closeModel()
                assistant.also { assistant = null }
            }
        if (assistant != null) letGo(assistant)
        if (client.isInitialized()) client.value.close()
    }

    @Synchronized
    private fun keep(opened: LanguageModel) {
        if (isClosed) opened.close() else model = opened
    }

    private suspend fun openAssistant(): Assistant {
        assistant?.let { return it }
        ledgerTurn.lock()
        val opened =
            try {
                openLedger()
            } catch (error: Throwable) {
                ledgerTurn.unlock()
                throw error
            }
        val isLate =
            synchronized(this) {
                if (!isClosed) assistant = opened
                isClosed
            }
        if (isLate) letGo(opened)
        return opened
    }

    private suspend fun openLedger(): Assistant {
        val private = PolicyDocument.OfPreset(Preset.PRIVATE)
        val assistant = AssistantOptions(options.ledger.path, options.vault, private)
        options.ledger.parentFile?.mkdirs()
        return try {
            Assistant.open(assistant)
        } catch (error: WhimbrelException.Ledger) {
            // The system took the key away, as when the screen lock is removed: the old receipts are kept aside.
            if (error.problem != "foreign") throw error
            Assistant.restartLedger(options.ledger.path, options.vault)
            Assistant.open(assistant)
        }
    }

    private fun letGo(assistant: Assistant) {
        CoroutineScope(background).launch {
            assistant.shutdown()
            ledgerTurn.unlock()
        }
    }

    private inner class AssistantSession(
        private val conversation: Conversation,
    ) : ChatSession {
        override fun ask(question: String): Flow<Event> =
            conversation.ask(question, AskOptions(generation = options.generation()))

        override fun stop() = conversation.stop()

        override fun messages() = conversation.messages()

        override fun reset() = conversation.reset()
    }

    private companion object {
        /** One screen's assistant at a time has the ledger: the next one waits until the one before let go of it. */
        val ledgerTurn = Mutex()
    }
}
