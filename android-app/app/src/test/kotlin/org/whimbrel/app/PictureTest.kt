package org.whimbrel.app

import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import androidx.compose.ui.test.performScrollTo
import androidx.core.graphics.drawable.toBitmap
import androidx.test.core.app.ApplicationProvider
import kotlinx.coroutines.CompletableDeferred
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.whimbrel.FinishReason
import org.whimbrel.Message
import org.whimbrel.PlaceKind
import org.whimbrel.QueueDecision
import org.whimbrel.QueueFailure
import org.whimbrel.QueueRemedy
import org.whimbrel.QueueState
import org.whimbrel.Role
import org.whimbrel.android.FolderModelSource
import org.whimbrel.android.ModelFile
import org.whimbrel.android.ModelSource
import java.io.File
import java.io.InputStream
import java.util.TimeZone
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes

/**
 * What the screen looks like. `make android-screens` writes the pictures anew; look at them before they are committed.
 */
@RunWith(RobolectricTestRunner::class)
class PictureTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val shelf = ScriptedShelf().also { it.nowMs = Phone.NOON_MS }
    private val gateway = ScriptedGateway(shelf)
    private val zone = TimeZone.getDefault()

    @Before
    fun setZone() = TimeZone.setDefault(TimeZone.getTimeZone("UTC"))

    @After
    fun resetZone() = TimeZone.setDefault(zone)

    private fun withConversation(
        exchanges: List<Exchange>,
        name: String,
        then: (Phone) -> Unit = {},
    ) = Phone(compose).use { phone ->
        phone.install(Bundles.tiny)
        phone.prepare({ gateway })
        phone.launch()
        phone.waitFor("Sample answers")
        for ((place, exchange) in exchanges.withIndex()) {
            phone.askWithoutTyping(exchange.question)
            gateway.say(exchange.answer)
            exchange.run { gateway.finish(reason, tokens, ms.milliseconds, rate, dropped) }
            phone.waitUntil("answer $place") { shelf.receipts == place + 1L && phone.isAtRest() }
        }
        then(phone)
        phone.compareWithPicture(name)
    }

    private fun Phone.isAtRest() = model().conversationState.value.run { !isAnswering && !isOpening }

    private class Exchange(
        val question: String,
        val answer: String,
        val tokens: Int,
        val ms: Int,
        val rate: Double,
        val reason: FinishReason = FinishReason.STOP,
        val dropped: Int = 0,
    )

    @Test
    fun light() = withConversation(ENGLISH, "light")

    @Test
    @Config(qualifiers = "+night")
    fun `dark, answering`() =
        withConversation(ENGLISH.take(1), "dark") { phone ->
            phone.ask("Where do they spend the winter?")
            gateway.say(
                "Whimbrels leave the tundra in late summer. Many of them fly without a rest over the open ocean, " +
                    "for several days, ",
            )
            gateway.say("to the mangroves and mudflats of")
            phone.waitFor("mudflats of")
            phone.compose.waitForIdle()
        }

    @Test
    fun `letters of double size`() {
        RuntimeEnvironment.setFontScale(2.0f)
        withConversation(ENGLISH.take(1), "font-scale-2")
    }

    @Test
    @Config(qualifiers = "+ar-rEG-ldrtl")
    fun `right to left`() = withConversation(ARABIC, "right-to-left")

    @Test
    @Config(qualifiers = "+de-rDE-w891dp-h411dp-land")
    fun `landscape, in German`() = withConversation(GERMAN, "landscape")

    @Test
    fun `before the first question`() = withConversation(emptyList(), "empty")

    private fun withList(
        name: String,
        keep: () -> Unit = ::keepSome,
        conversations: String = "Conversations",
        then: (Phone) -> Unit = {},
    ) = Phone(compose).use { phone ->
        phone.install(Bundles.tiny)
        keep()
        phone.prepare({ gateway })
        phone.launch()
        phone.waitUntil("the conversation") { phone.sees(conversations) && phone.isAtRest() }
        phone.tap(conversations)
        phone.waitUntil("the list") {
            phone
                .model()
                .listState.value.rows != null
        }
        then(phone)
        phone.compareWithPicture(name)
    }

    private fun keepSome() {
        val day = Phone.NOON_MS
        val coasts = "They spend the winter on warm coasts: in Africa, South America and Australia."
        shelf.keep("Where do whimbrels spend the winter?", said("Where?", coasts), day - 2 * MINUTE_MS)
        shelf.keep(
            "Packing list for the north",
            said("What?", "A warm coat, binoculars and the letter from Dr Brandt."),
            day - 26 * 60 * MINUTE_MS,
        )
        val tides = "The Moon pulls the water on the side that faces it, and two bulges of water follow it every day."
        shelf.keep("Tides", said("Why are there two tides a day?", tides), day - 3 * DAY_MS, isPinned = true)
        shelf.keep(
            "Names of waders",
            said("Which?", "Curlew, godwit, sandpiper and whimbrel: the whimbrel is the one with stripes on its head."),
            day - 40 * DAY_MS,
        )
        shelf.keep(
            "Ein Brief an das Museum",
            said("Wie?", "Sehr geehrte Damen und Herren, für die Ausstellung"),
            day - 400 * DAY_MS,
        )
    }

    @Test
    fun `the list of conversations`() = withList("conversations")

    @Test
    @Config(qualifiers = "+night")
    fun `the list in the dark`() = withList("conversations-dark")

    @Test
    fun `the list in double size`() {
        RuntimeEnvironment.setFontScale(2.0f)
        withList("conversations-font-scale-2")
    }

    @Test
    @Config(qualifiers = "+ar-rEG-ldrtl")
    fun `the list from right to left`() = withList("conversations-right-to-left", conversations = "المحادثات")

    @Test
    fun `no conversations`() = withList("conversations-empty", keep = {})

    @Test
    fun `a search with hits`() =
        withList("conversations-search") { phone ->
            phone.model().find("whimbrel")
            phone.waitUntil("the hits") {
                phone
                    .model()
                    .listState.value.rows
                    ?.all { it.hit != null } == true
            }
        }

    private fun withWaiting(
        name: String,
        then: (Phone) -> Unit = {},
    ) = Phone(compose).use { phone ->
        phone.install(Bundles.tiny)
        val conversation = shelf.keep("Whimbrels", said("What is a whimbrel?", ENGLISH.first().answer, receipt = 1))
        shelf.origins[1] = Origin(Provenance(PlaceKind.ORGANISATION, "house", 1, null, 812), null)
        shelf.enqueue(conversation.summary.id, "Where do they spend the winter?")
        shelf.enqueue(conversation.summary.id, "And how do they find the way?")
        phone.prepare({ gateway }, isPrivate = false)
        phone.launch()
        phone.waitUntil("the conversation") { phone.sees("Where do they spend the winter?") && phone.isAtRest() }
        then(phone)
        phone.compareWithPicture(name)
    }

    @Test
    fun `questions that wait for a network`() = withWaiting("waiting")

    @Test
    @Config(qualifiers = "+night")
    fun `questions that wait for other reasons`() =
        withWaiting("waiting-dark") { phone ->
            val failure = QueueFailure("unauthorised", 401, QueueRemedy.SETTINGS)
            shelf.alter(1) { it.copy(state = QueueState.Stuck(failure)) }
            shelf.alter(2) { it.copy(state = QueueState.Blocked(by = 1)) }
            phone.waitFor("not tried again by itself")
        }

    @Test
    fun `a question that waits in double size`() {
        RuntimeEnvironment.setFontScale(2.0f)
        withWaiting("waiting-font-scale-2") { phone ->
            shelf.remove(2)
            val failure = QueueFailure("unreachable", null, QueueRemedy.NETWORK)
            shelf.alter(1) { it.copy(state = QueueState.Retrying(failure), retryIn = 4.minutes) }
            phone.waitFor("Next try at 12:04")
        }
    }

    @Test
    fun `a question that was answered later`() =
        withWaiting("answered-later") { phone ->
            shelf.origins[2] = Origin(Provenance(PlaceKind.ORGANISATION, "house", 2, null, 964), null)
            shelf.answer(
                1,
                "They spend the winter on warm coasts: in Africa, South America and Australia.",
                receipt = 2,
            )
            shelf.alter(2) { it.copy(state = QueueState.Sending(QueueDecision.REDACTED)) }
            phone.waitFor("what was recognised as private replaced")
            phone.waitUntil("where it was answered") {
                phone.count(hasText("Answered by your organisation")) == 2
            }
        }

    @Test
    @Config(qualifiers = "+night")
    fun `a question without room`() =
        Phone(compose).use { phone ->
            phone.prepareReal(Bundles.tiny, contextLength = 64)
            phone.launch()
            phone.waitFor("Ask me something")
            phone.ask("word ".repeat(200))
            phone.waitFor("There is no room")
            phone.compareWithPicture("context-full")
        }

    @Test
    fun `no model yet`() =
        Phone(compose).use { phone ->
            phone.prepare({ gateway }, listOf(OfferedModel("SmolLM2 135M", FolderModelSource(Bundles.tiny))))
            phone.launch()
            phone.waitFor("You need a model first")
            phone.compareWithPicture("not-installed")
        }

    private fun withLetter(
        words: List<String>,
        name: String,
    ) = Phone(compose).use { phone ->
        val (card, send, receipt) = words
        phone.prepare({ gateway })
        phone.launch()
        phone.waitFor(card)
        phone.tap(card)
        phone.waitFor(send)
        phone.tap(send)
        phone.waitFor(receipt)
        phone.compareWithPicture(name)
    }

    @Test
    fun `a letter that was answered`() =
        withLetter(listOf("See what a cloud service would get", "Send to the stand-in", "Receipt 1"), "letter")

    @Test
    @Config(qualifiers = "+ar-rEG-ldrtl-night")
    fun `a letter from right to left`() =
        withLetter(
            listOf("شاهد ما كانت ستتلقاه خدمة سحابية", "إرسال إلى الخدمة البديلة", "ما استُبدل"),
            "letter-right-to-left",
        )

    @Test
    fun `installing in double size`() {
        RuntimeEnvironment.setFontScale(2.0f)
        Phone(compose).use { phone ->
            val gate = CompletableDeferred<Unit>()
            phone.prepare({ gateway }, listOf(OfferedModel("SmolLM2 135M", HalfWay(gate))))
            phone.launch()
            phone.waitFor("Install SmolLM2 135M")
            phone.node("Install SmolLM2 135M").performScrollTo()
            phone.tap("Install SmolLM2 135M")
            phone.waitFor("56 MB of 93 MB")
            phone.compareWithPicture("installing-font-scale-2")
            phone.tap("Cancel")
            gate.complete(Unit)
            phone.waitFor("You need a model first")
            assertEquals(emptyList<String>(), phone.modelFolder.list()?.toList())
        }
    }

    @Test
    fun `a damaged model`() =
        Phone(compose).use { phone ->
            phone.prepareReal(Bundles.tiny)
            File(phone.modelFolder, "installed/q4_1/weights.bin").appendBytes(byteArrayOf(1))
            phone.launch()
            phone.waitFor("A file of the model is damaged")
            phone.compareWithPicture("damaged")
        }

    @Test
    fun `the icon`() {
        val application = ApplicationProvider.getApplicationContext<WhimbrelApplication>()
        val icon = checkNotNull(application.getDrawable(R.mipmap.ic_launcher))
        icon.toBitmap(ICON_PIXELS, ICON_PIXELS).compareWithPicture("icon")
    }

    /** A model of 93 MB that comes to a halt after 56. */
    private class HalfWay(
        private val gate: CompletableDeferred<Unit>,
    ) : ModelSource {
        override fun files() = listOf(ModelFile("manifest.json", 56_000_000), ModelFile("weights.bin", 37_000_000))

        override fun open(file: ModelFile): InputStream {
            if (file.path == "weights.bin") kotlinx.coroutines.runBlocking { gate.await() }
            return Zeros(file.bytes ?: 0)
        }
    }

    private class Zeros(
        private var left: Long,
    ) : InputStream() {
        override fun read(): Int = error("read one byte at a time")

        override fun read(
            buffer: ByteArray,
            offset: Int,
            length: Int,
        ): Int {
            if (left == 0L) return -1
            val count = minOf(left, length.toLong()).toInt()
            left -= count
            return count
        }
    }

    private companion object {
        const val ICON_PIXELS = 216

        val ENGLISH =
            listOf(
                Exchange(
                    "What is a whimbrel?",
                    "A whimbrel is a wading bird with a long bill that bends downwards. It breeds on the tundra of " +
                        "the far north and spends the winter on warm coasts.",
                    tokens = 34,
                    ms = 1460,
                    rate = 25.8,
                ),
                Exchange(
                    "How do you say that in Greek and in Chinese? 🐦",
                    "Greek: σιγλίγουρος. Chinese: 中杓鹬.",
                    tokens = 21,
                    ms = 930,
                    rate = 25.1,
                ),
                Exchange(
                    "Tell me a long story about one of them.",
                    "One evening at the end of August a young whimbrel stood at the edge of the mudflat and " +
                        "listened. The others had been",
                    tokens = 26,
                    ms = 1120,
                    rate = 24.9,
                    reason = FinishReason.CANCELLED,
                ),
            )

        val GERMAN =
            listOf(
                Exchange(
                    "Warum ist zweimal am Tag Flut?",
                    "Der Mond zieht das Wasser auf der ihm zugewandten Seite an; auf der abgewandten Seite " +
                        "bleibt es zurück. So entstehen zwei Flutberge, unter denen sich die Erde einmal am Tag hindurchdreht.",
                    tokens = 61,
                    ms = 2510,
                    rate = 26.0,
                    dropped = 2,
                ),
            )

        val ARABIC =
            listOf(
                Exchange(
                    "ما هو كروان الماء الصغير؟",
                    "طائر خوّاض له منقار طويل منحنٍ إلى الأسفل. يعشش في أقصى الشمال ويقضي الشتاء على السواحل الدافئة.",
                    tokens = 48,
                    ms = 2050,
                    rate = 24.4,
                ),
                Exchange(
                    "What is it called in English?",
                    "In English it is called a whimbrel.",
                    tokens = 9,
                    ms = 410,
                    rate = 25.2,
                ),
            )

        private const val MINUTE_MS = 60_000L
        private const val DAY_MS = 24 * 60 * MINUTE_MS

        fun said(
            question: String,
            answer: String,
            receipt: Long? = null,
        ) = listOf(Message(Role.USER, question), Message(Role.ASSISTANT, answer, receipt = receipt))
    }
}
