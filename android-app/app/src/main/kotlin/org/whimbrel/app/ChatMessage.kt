package org.whimbrel.app

import org.whimbrel.FinishReason
import org.whimbrel.Message
import org.whimbrel.Outcome
import org.whimbrel.Place
import org.whimbrel.PlaceKind
import org.whimbrel.PrivacyClass
import org.whimbrel.Report
import org.whimbrel.Role
import org.whimbrel.TrustClass
import kotlin.time.Duration
import kotlin.time.DurationUnit

/** One message as the screen shows it. */
sealed interface ChatMessage {
    /** The same for as long as the conversation lasts, and larger for later messages. */
    val id: Long
    val text: String

    /** Who may read it; `null` while that is not known. */
    val privacy: Privacy?

    data class Question(
        override val id: Long,
        override val text: String,
        override val privacy: Privacy? = null,
    ) : ChatMessage

    /** An answer; without an [ending] while it is in progress. */
    data class Answer(
        override val id: Long,
        override val text: String,
        val ending: Ending? = null,
        val figures: Figures? = null,
        val provenance: Provenance? = null,
        override val privacy: Privacy? = null,
    ) : ChatMessage
}

/** What the package knows of a message's privacy. The app keeps it and hands it back as it is. */
data class Privacy(
    val privacyClass: PrivacyClass?,
    val recipients: List<String>?,
)

/**
 * Where an answer came from, for people.
 *
 * @property place the kind of place.
 * @property name the model's or the endpoint's.
 * @property receipt the number of the receipt in the ledger.
 * @property summary where it ran and why, in one line.
 * @property bytesOut bytes that left the phone.
 */
data class Provenance(
    val place: PlaceKind,
    val name: String,
    val receipt: Long,
    val summary: String,
    val bytesOut: Long,
)

/** Why an answer ended. The names are written to files. */
enum class Ending {
    COMPLETE,

    /** The user stopped it. */
    STOPPED,

    /** The limit of one answer, or of the context. */
    LENGTH,

    /** The process ended meanwhile. */
    INTERRUPTED,

    /** The place failed midway; what was said before stays. */
    FAILED,
}

/** The figures under an answer; [tokensPerSecond] counts the time of computing the answer only, [total] all of it. */
data class Figures(
    val tokens: Int,
    val total: Duration,
    val tokensPerSecond: Double,
    val droppedMessages: Int,
)

/** How the answer ended; `null` when there is no answer to show. */
fun Report.toEnding(): Ending? =
    when {
        outcome == Outcome.ANSWERED && finish == FinishReason.LENGTH -> Ending.LENGTH
        outcome == Outcome.ANSWERED -> Ending.COMPLETE
        outcome == Outcome.CANCELLED -> Ending.STOPPED
        isPartial -> Ending.FAILED
        else -> null
    }

fun Report.toFigures(): Figures? =
    statistics?.run { Figures(completionTokens, total, decodeTokensPerSecond, droppedMessages) }

fun Report.toProvenance(): Provenance? {
    val (kind, name) =
        when (val place = place) {
            null -> return null
            is Place.OnDevice -> PlaceKind.ON_DEVICE to place.model
            is Place.SystemModel -> PlaceKind.SYSTEM_MODEL to place.adapter
            is Place.Remote -> place.trust.toKind() to place.endpoint
        }
    return Provenance(kind, name, receipt ?: return null, summary, bytesOut)
}

private fun TrustClass.toKind(): PlaceKind =
    when (this) {
        TrustClass.OWN_DEVICE -> PlaceKind.OWN_DEVICE
        TrustClass.ORGANISATION -> PlaceKind.ORGANISATION
        TrustClass.PUBLIC_CLOUD -> PlaceKind.PUBLIC_CLOUD
    }

fun Message.toPrivacy(): Privacy = Privacy(privacyClass, recipients)

private fun ChatMessage.toMessage(role: Role) = Message(role, text, privacy?.privacyClass, privacy?.recipients)

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
        history.addFirst(answer.toMessage(Role.ASSISTANT))
        history.addFirst(question.toMessage(Role.USER))
    }
    return history
}
