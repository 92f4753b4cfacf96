package org.whimbrel.app

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.withContext
import org.whimbrel.AnswerEvent
import org.whimbrel.Conversation
import org.whimbrel.ConversationOptions
import org.whimbrel.GenerationOptions
import org.whimbrel.LanguageModel
import org.whimbrel.Message
import org.whimbrel.OpenOptions
import org.whimbrel.WhimbrelClient
import java.io.File

// What the app asks of Whimbrel's core, and the core behind it. The interfaces are here so that pictures and tests can
// be made with answers that are always the same.

/** Opens models. */
interface Core : AutoCloseable {
    /** Opens the bundle in [folder]; fails as [WhimbrelClient.openModel] does. */
    suspend fun open(folder: File): OpenModel
}

/** An open model. */
interface OpenModel : AutoCloseable {
    /** The model's name, for people. */
    val name: String

    /** Starts a conversation that goes on from [history]. */
    suspend fun talk(history: List<Message>): Talk
}

/** A conversation with a model. */
interface Talk {
    /** Asks [question]; as [Conversation.ask]. */
    fun ask(question: String): Flow<AnswerEvent>

    /** Stops the answer in the making, which then ends with its figures. */
    fun stop()

    /** Forgets everything that was said. */
    suspend fun reset()
}

/**
 * How the app uses the core.
 *
 * @property opening how models are opened.
 * @property conversation how conversations are kept.
 * @property answering how an answer is made; called for each.
 */
class CoreOptions(
    val opening: OpenOptions = OpenOptions(),
    val conversation: ConversationOptions = ConversationOptions(),
    val answering: () -> GenerationOptions = { GenerationOptions() },
)

/** The real core. */
class WhimbrelCore(
    private val options: CoreOptions,
    private val background: CoroutineDispatcher = Dispatchers.Default,
) : Core {
    // Loads the native library, so not before it is needed and not on the main thread.
    private val client = lazy { WhimbrelClient() }

    override suspend fun open(folder: File): OpenModel =
        withContext(background) { Opened(client.value.openModel(folder.path, options.opening)) }

    override fun close() {
        if (client.isInitialized()) client.value.close()
    }

    private inner class Opened(
        private val model: LanguageModel,
    ) : OpenModel {
        override val name: String = model.info.name

        override suspend fun talk(history: List<Message>): Talk {
            val conversation = model.conversation(options.conversation)
            if (history.isNotEmpty()) conversation.setMessages(conversation.messages() + history)
            return Talking(conversation)
        }

        override fun close() = model.close()
    }

    private inner class Talking(
        private val conversation: Conversation,
    ) : Talk {
        override fun ask(question: String): Flow<AnswerEvent> = conversation.ask(question, options.answering())

        override fun stop() = conversation.stop()

        override suspend fun reset() = conversation.reset()
    }
}
