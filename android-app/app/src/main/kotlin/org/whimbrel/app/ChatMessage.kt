package org.whimbrel.app

import org.whimbrel.FinishReason
import org.whimbrel.Outcome
import org.whimbrel.Place
import org.whimbrel.PlaceKind
import org.whimbrel.Report
import org.whimbrel.TrustClass
import kotlin.time.Duration
import kotlin.time.DurationUnit

/** One message as the screen shows it. */
sealed interface ChatMessage {
    /** The same for as long as the conversation is open, and larger for later messages. */
    val id: Long
    val text: String

    data class Question(
        override val id: Long,
        override val text: String,
    ) : ChatMessage

    /** An answer; without an [ending] while it is in progress. */
    data class Answer(
        override val id: Long,
        override val text: String,
        val ending: Ending? = null,
        val figures: Figures? = null,
        val provenance: Provenance? = null,
    ) : ChatMessage

    /** A question that waits in the outbox, where it has a [number]. */
    data class Waiting(
        override val text: String,
        val number: Long,
        val wait: Wait,
    ) : ChatMessage {
        override val id: Long
            get() = FIRST_ID + number

        private companion object {
            /** No conversation has as many messages. */
            const val FIRST_ID = 1L shl 40
        }
    }
}

/**
 * Where an answer came from, for people.
 *
 * @property place the kind of place.
 * @property name the model's or the endpoint's.
 * @property receipt the number of the receipt in the ledger.
 * @property summary where it ran and why, in one line; `null` where only the receipt is known.
 * @property bytesOut bytes that left the phone.
 */
data class Provenance(
    val place: PlaceKind,
    val name: String,
    val receipt: Long,
    val summary: String?,
    val bytesOut: Long,
)

/** Why an answer ended. */
enum class Ending {
    COMPLETE,

    /** The user stopped it. */
    STOPPED,

    /** The limit of one answer, or of the context. */
    LENGTH,

    /** It ended early, and no more is known than that the app was closed or the answer left. */
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

fun Report.toProvenance(): Provenance? = provenance(place, receipt ?: return null, summary, bytesOut)

/** Where an answer with this [receipt] came from; `null` if it came from nowhere. */
fun provenance(
    place: Place?,
    receipt: Long,
    summary: String?,
    bytesOut: Long,
): Provenance? {
    val (kind, name) =
        when (place) {
            null -> return null
            is Place.OnDevice -> PlaceKind.ON_DEVICE to place.model
            is Place.SystemModel -> PlaceKind.SYSTEM_MODEL to place.adapter
            is Place.Remote -> place.trust.toKind() to place.endpoint
        }
    return Provenance(kind, name, receipt, summary, bytesOut)
}

private fun TrustClass.toKind(): PlaceKind =
    when (this) {
        TrustClass.OWN_DEVICE -> PlaceKind.OWN_DEVICE
        TrustClass.ORGANISATION -> PlaceKind.ORGANISATION
        TrustClass.PUBLIC_CLOUD -> PlaceKind.PUBLIC_CLOUD
    }

val Figures.seconds: Double
    get() = total.toDouble(DurationUnit.SECONDS)
