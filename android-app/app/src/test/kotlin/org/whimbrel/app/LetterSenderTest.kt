package org.whimbrel.app

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.whimbrel.Outcome
import org.whimbrel.Place
import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds

/**
 * The letter's way to the stand-in and back, with the real core. It runs under Robolectric only because the other tests
 * with the core do: the core calls the vaults of the class loader that came last.
 */
@RunWith(RobolectricTestRunner::class)
class LetterSenderTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val cache by lazy { File(temporary.root, "cache") }
    private val sender by lazy { StandInSender(cache) }

    private fun send(letter: String): SentLetter {
        val sent = runBlocking { sender.send(letter) }
        assertEquals(emptyList(), cache.list()?.toList(), "nothing is kept")
        return sent
    }

    @Test
    fun `the letter leaves redacted and the answer is put back`() {
        val sent = send(SAMPLE_LETTER)
        for (private in PRIVATE) {
            assertTrue(private in SAMPLE_LETTER, private)
            assertFalse(private in sent.received, "$private: ${sent.received}")
        }
        assertTrue("thank you for seeing me on Tuesday" in sent.received, sent.received)
        for (recognised in sent.recognised) {
            assertTrue(recognised.value in SAMPLE_LETTER, "$recognised")
            recognised.placeholder?.let { assertTrue(it in sent.received, "$recognised: ${sent.received}") }
        }
        val kinds = sent.recognised.filter { it.placeholder != null }.map { it.kind }
        assertTrue(kinds.containsAll(listOf("person_name", "phone", "street_address", "email", "iban")), "$kinds")
        for (back in listOf("Amara Okafor", "tomasz.nowak@example.org")) assertTrue(back in sent.answer, sent.answer)
        assertFalse('⟨' in sent.answer, sent.answer)
        sent.receipt.run {
            assertEquals(Outcome.ANSWERED, outcome)
            assertEquals("stand-in", assertIs<Place.Remote>(place).endpoint)
            assertTrue(bytesOut > 0 && bytesIn > 0)
            assertEquals(1, redacted["email"])
        }
    }

    @Test
    fun `a letter without anything private is sent as it is`() {
        val letter = "The plan is ready. 🐦 See you on Tuesday.\n"
        val sent = send(letter)
        assertEquals(emptyList(), sent.recognised)
        assertEquals(letter, sent.received)
        assertEquals("Thank you for your letter. It names nobody.", sent.answer)
        assertEquals(emptyMap(), sent.receipt.redacted)
    }

    @Test
    fun `values are found in any script, and special categories are not replaced`() {
        val sent = send("🐦🐦 About my HIV test: write to ada@example.com.")
        val replacements = sent.recognised.map { it.value to it.placeholder }
        assertEquals(listOf("HIV" to null, "ada@example.com" to "⟨EMAIL_1⟩"), replacements)
        assertEquals("🐦🐦 About my HIV test: write to ⟨EMAIL_1⟩.", sent.received)
    }

    @Test
    fun `the longest letter is sent`() {
        val letter = "ä".repeat(LetterViewModel.LETTER_CHARACTERS_MAX)
        assertEquals(letter, send(letter).received)
    }

    @Test
    fun `leaving at any moment leaves nothing`() {
        for (pause in listOf(0, 1, 5, 20, 50, 100)) {
            runBlocking {
                val sending = launch(Dispatchers.Default) { sender.send(SAMPLE_LETTER) }
                delay(pause.milliseconds)
                sending.cancelAndJoin()
            }
            assertTrue(cache.list().orEmpty().isEmpty(), "after $pause ms")
        }
    }

    @Test
    fun `a folder that cannot be written is an error in plain words`() {
        cache.writeText("no folder")
        val error = assertFailsWith<LetterException> { runBlocking { sender.send(SAMPLE_LETTER) } }
        assertEquals(Problem.LetterNotAnswered, error.toProblem())
        assertEquals(Problem.NoStandIn, LetterException.NoStandIn(java.io.IOException()).toProblem())
        assertNull(error.message?.takeIf { "Okafor" in it })
    }

    @Test
    fun `the letter is that of the command`() {
        val source = File("../../rust-core/cli/src/commands/demo.rs").readText()
        val letter = source.substringAfter("const LETTER: &str = \"\\\n").substringBefore("\";\n")
        assertEquals(letter, SAMPLE_LETTER)
    }

    private companion object {
        val PRIVATE =
            listOf(
                "Amara Okafor",
                "+44 20 7946 0958",
                "14 Harbour Street",
                "tomasz.nowak@example.org",
                "GB82 WEST 1234 5698 7654 32",
                "Nowak",
            )
    }
}
