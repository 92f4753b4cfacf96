package org.whimbrel.app

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.withContext
import org.whimbrel.AskOptions
import org.whimbrel.Assistant
import org.whimbrel.AssistantOptions
import org.whimbrel.DeviceUpdate
import org.whimbrel.Event
import org.whimbrel.MemoryKeyVault
import org.whimbrel.Network
import org.whimbrel.Outcome
import org.whimbrel.PolicyDocument
import org.whimbrel.Receipt
import org.whimbrel.RedactedText
import java.io.File
import java.io.IOException
import java.nio.file.Files
import kotlin.time.Duration.Companion.seconds

// What happens to a letter that goes to a cloud service. The service is a stand-in on this phone; everything else is as
// in an app that really sends it.

/**
 * The letter unless the user writes another, the one of the command `whimbrel demo`. Nobody in it exists.
 */
const val SAMPLE_LETTER: String =
    """Dear Dr. Amara Okafor,

thank you for seeing me on Tuesday. My new number is +44 20 7946 0958, and letters reach me at
14 Harbour Street, Whitby YO22 4DE, or at tomasz.nowak@example.org. Please send the bill to my
account GB82 WEST 1234 5698 7654 32.

Yours sincerely,
Tomasz Nowak
"""

/** Sends a letter. */
fun interface LetterSender {
    /**
     * Sends [letter] and returns what happened to it.
     *
     * @throws LetterException when there is no answer.
     */
    suspend fun send(letter: String): SentLetter
}

/**
 * What happened to a letter.
 *
 * @property recognised what was recognised in it, in order.
 * @property received what the stand-in was sent, from its own record.
 * @property answer what it answered, as an app gets it.
 */
data class SentLetter(
    val recognised: List<Recognised>,
    val received: String,
    val answer: String,
    val receipt: Receipt,
)

/**
 * Something in a letter that is or may be private.
 *
 * @property kind its kind, in the package's words: `email`, `phone` and so on.
 * @property value the words of the letter.
 * @property placeholder what was sent in their place; `null` if they stayed.
 */
data class Recognised(
    val kind: String,
    val value: String,
    val placeholder: String?,
)

/** Why a letter was not answered. */
sealed class LetterException(
    message: String,
    cause: Throwable?,
) : Exception(message, cause) {
    /** The system does not let the app listen on loopback. */
    class NoStandIn(
        cause: Throwable,
    ) : LetterException("the stand-in cannot listen", cause)

    /** It was not sent, or no whole answer came. */
    class NotAnswered(
        cause: Throwable?,
    ) : LetterException("the letter was not answered", cause)
}

/**
 * Sends letters to a [StandIn] as an app would send them to a service: through the policy, the scanner, the network and
 * a ledger. The ledger is one of its own, in a new folder in [cache], and is deleted afterwards.
 */
class StandInSender(
    private val cache: File,
    private val io: CoroutineDispatcher = Dispatchers.IO,
) : LetterSender {
    override suspend fun send(letter: String): SentLetter =
        try {
            withContext(io) { startStandIn().use { exchange(letter, it) } }
        } catch (error: IOException) {
            throw LetterException.NotAnswered(error)
        }

    private fun startStandIn() =
        try {
            StandIn.start()
        } catch (error: IOException) {
            throw LetterException.NoStandIn(error)
        }

    private suspend fun exchange(
        letter: String,
        standIn: StandIn,
    ): SentLetter =
        coroutineScope {
            val received = async { standIn.serve(io) }
            withAssistant(standIn.port) { assistant ->
                SentLetter(
                    recognised = assistant.redact(letter).recognisedIn(letter),
                    answer = assistant.ask(letter),
                    received = received.await(),
                    receipt = assistant.receipts(max = 1).single(),
                )
            }
        }

    private suspend fun <T> withAssistant(
        port: Int,
        use: suspend (Assistant) -> T,
    ): T {
        cache.mkdirs()
        val folder = Files.createTempDirectory(cache.toPath(), "letter").toFile()
        val options = AssistantOptions(File(folder, "ledger").path, MemoryKeyVault(), PolicyDocument.Toml(policy(port)))
        try {
            // An assistant that nobody holds would keep its ledger open.
            val assistant = withContext(NonCancellable) { Assistant.open(options) }
            try {
                return use(assistant)
            } finally {
                withContext(NonCancellable) { assistant.shutdown() }
            }
        } finally {
            folder.deleteRecursively()
        }
    }

    /** Asks, and returns the whole answer. */
    private suspend fun Assistant.ask(letter: String): String {
        updateDevice(DeviceUpdate(network = Network.UNMETERED))
        val answer = StringBuilder()
        conversation().use { conversation ->
            conversation.ask(letter, AskOptions(deadline = DEADLINE)).collect { event ->
                when (event) {
                    is Event.Text -> answer.append(event.text)
                    Event.Restarted -> answer.clear()
                    is Event.Finished -> if (event.report.outcome != Outcome.ANSWERED) throw notAnswered()
                    is Event.Started, is Event.Reading, is Event.Thinking, is Event.Call -> Unit
                }
            }
        }
        return answer.toString()
    }

    private fun notAnswered() = LetterException.NotAnswered(null)

    private companion object {
        /** The stand-in answers at once. */
        val DEADLINE = 20.seconds

        /** A policy whose only place is the stand-in, which gets text with everything private replaced. */
        fun policy(port: Int) =
            """
            version = 1
            name = "letter"
            otherwise = ["redact_then_remote:stand-in"]
            [[endpoints]]
            id = "stand-in"
            base_url = "http://127.0.0.1:$port/v1"
            model = "stand-in"
            trust = "public_cloud"
            cost_per_1k_tokens = 0
            class_max = "public"
            class_max_redacted = "secret"
            """.trimIndent()

        /** The findings and, without placeholders, what is too unsure to be replaced. */
        fun RedactedText.recognisedIn(letter: String): List<Recognised> {
            val found = findings.map { it.start to Recognised(it.kind, letter.part(it.start, it.end), it.placeholder) }
            val unsure = guesses.map { it.start to Recognised(it.kind, letter.part(it.start, it.end), null) }
            return (found + unsure).sortedBy { it.first }.map { it.second }
        }

        /** The package counts characters, not halves of surrogate pairs. */
        fun String.part(
            start: Int,
            end: Int,
        ) = substring(offsetByCodePoints(0, start), offsetByCodePoints(0, end))
    }
}
