package org.whimbrel.app

import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.whimbrel.PlaceKind
import org.whimbrel.PrivacyClass
import java.io.File
import java.io.RandomAccessFile
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds

class ConversationStoreTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val file by lazy { File(folder.root, "files/conversation.json") }

    private val messages =
        listOf(
            ChatMessage.Question(0, "a \"quoted\" question\nمرحبا 🐦", Privacy(PrivacyClass.SECRET, emptyList())),
            ChatMessage.Answer(
                1,
                "an answer",
                Ending.LENGTH,
                Figures(3, 250.milliseconds, 12.5, 1),
                Provenance(PlaceKind.PUBLIC_CLOUD, "cloud", 7, "at cloud", 512),
                Privacy(PrivacyClass.PERSONAL, listOf("any")),
            ),
            ChatMessage.Question(2, "b"),
            ChatMessage.Answer(3, "half", Ending.STOPPED),
        )

    @Test
    fun `what was written is read`() {
        val store = ConversationStore(file)
        assertEquals(emptyList(), store.read())
        store.write { messages }
        assertEquals(messages, store.read())
        assertEquals(listOf("conversation.json"), file.parentFile?.list()?.toList(), "no part is left")
    }

    @Test
    fun `the format is the one on record`() {
        val record =
            """{"version":1,"messages":[{"question":"a"},""" +
                """{"answer":"b","ending":"complete","tokens":3,"total_ms":250,"tokens_per_second":12.5,""" +
                """"dropped_messages":1},""" +
                """{"question":"c","class":"secret","recipients":["a","b"]},""" +
                """{"answer":"d","place":"on_device","place_name":"m","receipt":7,"summary":"s","bytes_out":0}]}"""
        val provenance = Provenance(PlaceKind.ON_DEVICE, "m", 7, "s", 0)
        val recorded =
            listOf(
                ChatMessage.Question(0, "a"),
                ChatMessage.Answer(1, "b", Ending.COMPLETE, Figures(3, 250.milliseconds, 12.5, 1)),
                ChatMessage.Question(2, "c", Privacy(PrivacyClass.SECRET, listOf("a", "b"))),
                ChatMessage.Answer(3, "d", provenance = provenance),
            )
        ConversationStore(file).write { recorded }
        assertEquals(sorted(record), sorted(file.readText()))
        file.writeText(record)
        val interrupted = recorded.dropLast(1) + ChatMessage.Answer(3, "d", Ending.INTERRUPTED, provenance = provenance)
        assertEquals(interrupted, ConversationStore(file).read())
    }

    /** The order of names within an object is not part of the format. */
    private fun sorted(json: String) = json.split(Regex("[{},]")).sorted()

    @Test
    fun `what is not a conversation is put aside`() {
        val cases =
            listOf(
                "",
                "{",
                "[]",
                """{"version":2,"messages":[]}""",
                """{"version":1}""",
                """{"version":1,"messages":[{}]}""",
                """{"version":1,"messages":[{"answer":"a","ending":"lost"}]}""",
                """{"version":1,"messages":[{"answer":"a","tokens":1}]}""",
                """{"version":1,"messages":[{"answer":"a","receipt":1}]}""",
                """{"version":1,"messages":[{"question":"a","class":"lost"}]}""",
            )
        for (case in cases) {
            file.parentFile?.mkdirs()
            file.writeText(case)
            assertFailsWith<ConversationStore.Unreadable>(case) { ConversationStore(file).read() }
            assertFalse(file.exists(), case)
            assertEquals(case, File("${file.path}.unreadable").readText())
            assertEquals(emptyList(), ConversationStore(file).read())
            File("${file.path}.unreadable").delete()
        }
    }

    @Test
    fun `what was put aside before stays`() {
        file.parentFile?.mkdirs()
        for (text in listOf("first", "second", "third")) {
            file.writeText(text)
            assertFailsWith<ConversationStore.Unreadable> { ConversationStore(file).read() }
        }
        val kept = listOf("", "2", "3").map { File("${file.path}.unreadable$it").readText() }
        assertEquals(listOf("first", "second", "third"), kept)
    }

    @Test
    fun `a folder in the conversation's place is put aside too`() {
        val mine = File(file, "mine")
        mine.parentFile.mkdirs()
        mine.writeText("mine")
        val store = ConversationStore(file)
        assertFailsWith<ConversationStore.Unreadable> { store.read() }
        store.write { messages }
        assertEquals("mine", File("${file.path}.unreadable/mine").readText())
        assertEquals(messages, store.read())
    }

    @Test
    fun `a file over the limit is not read`() {
        ConversationStore(file).write { messages }
        val text = file.readText()
        // Blanks at the end of JSON mean nothing.
        file.appendText(" ".repeat(1024))
        assertEquals(messages, ConversationStore(file).read())
        RandomAccessFile(file, "rw").use { it.setLength(ConversationStore.FILE_BYTES_MAX + 1) }
        assertFailsWith<ConversationStore.Unreadable> { ConversationStore(file).read() }
        assertTrue(text.length < ConversationStore.FILE_BYTES_MAX)
    }

    @Test
    fun `only the newest messages are kept`() {
        val many = List(ConversationStore.MESSAGES_MAX + 2) { ChatMessage.Question(it.toLong(), "$it") }
        ConversationStore(file).write { many.dropLast(2) }
        assertEquals("0", ConversationStore(file).read().first().text)
        ConversationStore(file).write { many }
        assertEquals(many.drop(2).map { it.text }, ConversationStore(file).read().map { it.text })
    }
}
