package org.whimbrel.app

import androidx.compose.ui.test.junit4.createEmptyComposeRule
import androidx.compose.ui.test.performScrollTo
import androidx.core.graphics.drawable.toBitmap
import androidx.test.core.app.ApplicationProvider
import kotlinx.coroutines.CompletableDeferred
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.whimbrel.PlaceKind
import org.whimbrel.android.FolderModelSource
import org.whimbrel.android.ModelFile
import org.whimbrel.android.ModelSource
import java.io.File
import java.io.InputStream
import kotlin.time.Duration.Companion.milliseconds

/**
 * What the screen looks like. `make android-screens` writes the pictures anew; look at them before they are committed.
 */
@RunWith(RobolectricTestRunner::class)
class PictureTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val gateway = ScriptedGateway()

    private fun withConversation(
        messages: List<ChatMessage>,
        name: String,
        then: (Phone) -> Unit = {},
    ) = Phone(compose).use { phone ->
        phone.install(Bundles.tiny)
        ConversationStore(phone.conversationFile).write { messages }
        phone.prepare({ gateway })
        phone.launch()
        phone.waitUntil("the conversation") {
            phone.sees("Sample answers") &&
                (messages.isEmpty() || phone.messages().isNotEmpty())
        }
        then(phone)
        phone.compareWithPicture(name)
    }

    @Test
    fun light() = withConversation(ENGLISH, "light")

    @Test
    @Config(qualifiers = "+night")
    fun `dark, answering`() =
        withConversation(ENGLISH.take(2), "dark") { phone ->
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
        withConversation(ENGLISH.take(2), "font-scale-2")
    }

    @Test
    @Config(qualifiers = "+ar-rEG-ldrtl")
    fun `right to left`() = withConversation(ARABIC, "right-to-left")

    @Test
    @Config(qualifiers = "+de-rDE-w891dp-h411dp-land")
    fun `landscape, in German`() = withConversation(GERMAN, "landscape")

    @Test
    fun `before the first question`() = withConversation(emptyList(), "empty")

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

        fun answer(
            id: Long,
            text: String,
            tokens: Int,
            ms: Int,
            rate: Double,
            ending: Ending = Ending.COMPLETE,
            dropped: Int = 0,
        ) = ChatMessage.Answer(
            id,
            text,
            ending,
            Figures(tokens, ms.milliseconds, rate, dropped),
            Provenance(PlaceKind.ON_DEVICE, "SmolLM2 135M Instruct", id, "on this device", 0),
        )

        val ENGLISH =
            listOf(
                ChatMessage.Question(1, "What is a whimbrel?"),
                answer(
                    2,
                    "A whimbrel is a wading bird with a long bill that bends downwards. It breeds on the tundra of " +
                        "the far north and spends the winter on warm coasts.",
                    tokens = 34,
                    ms = 1460,
                    rate = 25.8,
                ),
                ChatMessage.Question(3, "How do you say that in Greek and in Chinese? 🐦"),
                answer(4, "Greek: σιγλίγουρος. Chinese: 中杓鹬.", tokens = 21, ms = 930, rate = 25.1),
                ChatMessage.Question(5, "Tell me a long story about one of them."),
                answer(
                    6,
                    "One evening at the end of August a young whimbrel stood at the edge of the mudflat and " +
                        "listened. The others had been",
                    tokens = 26,
                    ms = 1120,
                    rate = 24.9,
                    ending = Ending.STOPPED,
                ),
            )

        val GERMAN =
            listOf(
                ChatMessage.Question(1, "Warum ist zweimal am Tag Flut?"),
                answer(
                    2,
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
                ChatMessage.Question(1, "ما هو كروان الماء الصغير؟"),
                answer(
                    2,
                    "طائر خوّاض له منقار طويل منحنٍ إلى الأسفل. يعشش في أقصى الشمال ويقضي الشتاء على السواحل الدافئة.",
                    tokens = 48,
                    ms = 2050,
                    rate = 24.4,
                ),
                ChatMessage.Question(3, "What is it called in English?"),
                answer(4, "In English it is called a whimbrel.", tokens = 9, ms = 410, rate = 25.2),
            )
    }
}
