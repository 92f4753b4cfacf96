package org.whimbrel.app

import org.whimbrel.FinishReason
import org.whimbrel.Message
import org.whimbrel.Role
import org.whimbrel.Statistics
import kotlin.time.Duration
import kotlin.time.DurationUnit

/** One message as the screen shows it. */
sealed interface ChatMessage {
    /** The same for as long as the conversation lasts, and larger for later messages. */
    val id: Long
    val text: String

    data class Question(
        override val id: Long,
        override val text: String,
    ) : ChatMessage

    /** An answer; without an [ending] while it is in the making. */
    data class Answer(
        override val id: Long,
        override val text: String,
        val ending: Ending? = null,
        val figures: Figures? = null,
    ) : ChatMessage
}

/** Why an answer ended. The names are written to files. */
enum class Ending {
    COMPLETE,

    /** The user stopped it. */
    STOPPED,

    /** The limit of one answer, or of the context. */
    LENGTH,

    /** The process ended meanwhile. */
    INTERRUPTED,
}

/** The figures under an answer; [tokensPerSecond] counts the time of computing the answer only, [total] all of it. */
data class Figures(
    val tokens: Int,
    val total: Duration,
    val tokensPerSecond: Double,
    val droppedMessages: Int,
)

fun FinishReason.toEnding(): Ending =
    when (this) {
        FinishReason.STOP -> Ending.COMPLETE
        FinishReason.LENGTH -> Ending.LENGTH
        FinishReason.CANCELLED -> Ending.STOPPED
    }

fun Statistics.toFigures() = Figures(completionTokens, total, decodeTokensPerSecond, droppedMessages)

val Figures.seconds: Double
    get() = total.toDouble(DurationUnit.SECONDS)

/**
 * What the model is told of an earlier conversation: its newest exchanges that have an answer, at most [charactersMax]
 * long together.
 */
fun List<ChatMessage>.toHistory(charactersMax: Int): List<Message> {
    val history = ArrayDeque<Message>()
    var characters = 0
    for ((question, answer) in zipWithNext().asReversed()) {
        if (question !is ChatMessage.Question || answer !is ChatMessage.Answer || answer.text.isEmpty()) continue
        characters += question.text.length + answer.text.length
        if (characters > charactersMax) break
        history.addFirst(Message(Role.ASSISTANT, answer.text))
        history.addFirst(Message(Role.USER, question.text))
    }
    return history
}
