package org.whimbrel

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.launch
import org.whimbrel.ffi.SystemAnswer
import java.util.concurrent.ConcurrentHashMap
import org.whimbrel.ffi.SystemCapabilities as CoreSystemCapabilities
import org.whimbrel.ffi.SystemFailure as CoreSystemFailure
import org.whimbrel.ffi.SystemModel as CoreSystemModel
import org.whimbrel.ffi.SystemModelException as CoreSystemModelException
import org.whimbrel.ffi.SystemRequest as CoreSystemRequest

/**
 * A request to a system model.
 *
 * @property messages the messages, oldest first; the last one is the question.
 * @property maxTokens maximum length of the answer in tokens.
 * @property temperature 0 always takes the most likely token; `null` leaves it to the model.
 */
public class SystemRequest(
    public val messages: List<Message>,
    public val maxTokens: Int,
    public val temperature: Float?,
)

/** Thrown by a [SystemModel], from its functions or in its flows. */
public class SystemModelException(
    public val failure: SystemFailure,
    cause: Throwable? = null,
) : Exception(failure.name, cause)

/** A model that the app provides: the system's own (Gemini Nano), or one that runs on an accelerator. */
public interface SystemModel {
    /**
     * The model's current capabilities. Called before every decision, from any thread, so it must answer from cached
     * values.
     */
    public fun capabilities(): SystemCapabilities

    /** Prepares the model for a question. This is only a hint. */
    public fun prewarm() {}

    /**
     * The answer, piece by piece. The flow is collected once, and cancelled when the answer is no longer needed. A
     * [SystemModelException] in it gives the reason for a failure; any other exception counts as
     * [SystemFailure.FAILED].
     */
    public fun answer(request: SystemRequest): Flow<String>
}

/** An app's system model, as the core sees it: every call starts or stops a coroutine and returns. */
internal class ForeignSystemModel(
    private val model: SystemModel,
) : CoreSystemModel {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val answers = ConcurrentHashMap<ULong, Job>()

    override fun capabilities(): CoreSystemCapabilities = answered { model.capabilities().toCore() }

    override fun prewarm(): Unit = answered { model.prewarm() }

    override fun start(
        request: CoreSystemRequest,
        answer: SystemAnswer,
    ) {
        val flow = answered { model.answer(request.toPublic()) }
        val job = scope.launch(start = CoroutineStart.LAZY) { give(flow, answer) }
        answers[request.id] = job
        // Letting go of the answer without a last word is a failure: nobody waits for an answer that was cancelled.
        job.invokeOnCompletion {
            answers.remove(request.id)
            answer.close()
        }
        job.start()
    }

    override fun cancel(id: ULong) {
        answers[id]?.cancel()
    }

    private suspend fun give(
        flow: Flow<String>,
        answer: SystemAnswer,
    ): Unit =
        try {
            flow.takeWhile { answer.text(it) }.collect {}
            // What it counted is not known.
            answer.finish(0u, 0u)
        } catch (error: CancellationException) {
            throw error
        } catch (error: SystemModelException) {
            answer.fail(error.failure.toCore())
        } catch (
            @Suppress("TooGenericExceptionCaught") error: Exception,
        ) {
            answer.fail(CoreSystemFailure.FAILED)
        }

    private inline fun <T> answered(call: () -> T): T =
        try {
            call()
        } catch (error: SystemModelException) {
            throw CoreSystemModelException.NoAnswer(error.failure.toCore())
        }
}

private fun CoreSystemRequest.toPublic(): SystemRequest =
    SystemRequest(messages.map { it.toPublic() }, maxTokens.toInt(), temperature)
