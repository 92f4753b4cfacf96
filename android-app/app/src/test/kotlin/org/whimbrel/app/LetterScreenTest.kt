package org.whimbrel.app

import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.test.assertIsEnabled
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasSetTextAction
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.awaitCancellation
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.whimbrel.app.ui.LETTER_ANSWER_TAG
import org.whimbrel.app.ui.RECEIVED_TAG
import java.io.IOException

/** The letter on the screen, with the real core where nothing else is said. */
@RunWith(RobolectricTestRunner::class)
class LetterScreenTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val openFromCard = "See what a cloud service would get"

    private fun withLetter(
        sender: LetterSender? = null,
        test: (Phone) -> Unit,
    ) = Phone(compose).use { phone ->
        if (sender == null) {
            phone.prepare({ ScriptedGateway() })
        } else {
            phone.prepare({ ScriptedGateway() }, letterSender = sender)
        }
        phone.launch()
        phone.waitFor("You need a model first")
        phone.tap(openFromCard)
        phone.waitFor("Send to the stand-in")
        test(phone)
    }

    @Test
    fun `the letter is examined, replaced, sent, put back, and has a receipt`() =
        withLetter { phone ->
            assertEquals(SAMPLE_LETTER, phone.draft())
            assertTrue(phone.sees("nothing leaves this phone"))
            phone.tap("Send to the stand-in")
            phone.waitFor("Receipt 1")
            val received = phone.textOf(RECEIVED_TAG)
            for (private in listOf("Okafor", "7946", "Harbour", "tomasz", "GB82", "Nowak")) {
                assertFalse("$private: $received", private in received)
            }
            assertTrue(received, "⟨EMAIL_1⟩" in received)
            val answer = phone.textOf(LETTER_ANSWER_TAG)
            assertTrue(answer, "Amara Okafor" in answer && "tomasz.nowak@example.org" in answer && '⟨' !in answer)
            assertTrue(phone.sees("Email address: tomasz.nowak@example.org, replaced with ⟨EMAIL_1⟩"))
            assertTrue(phone.sees("were sent to it"))
            assertTrue(phone.sees("Replaced: "))
            assertTrue(phone.sees("Nothing left this phone."))
            assertFalse("the user's receipts are not touched", phone.receiptsFolder.exists())
            // What is shown belongs to the letter above it.
            phone.type("!")
            phone.waitUntil("what was shown to go") { !phone.sees("Receipt 1") }
        }

    @Test
    fun `a letter without anything private`() =
        withLetter { phone ->
            phone.rewrite("The plan is ready.")
            phone.tap("Send to the stand-in")
            phone.waitFor("Nothing was recognised as private")
            assertEquals("The plan is ready.", phone.textOf(RECEIVED_TAG))
            assertEquals("Thank you for your letter. It names nobody.", phone.textOf(LETTER_ANSWER_TAG))
            assertTrue(phone.sees("Nothing was replaced."))
        }

    @Test
    fun `an empty letter is not sent, and the sample comes back`() =
        withLetter { phone ->
            assertFalse(phone.sees("Use the sample letter"))
            for (blank in listOf("", " \n")) {
                phone.rewrite(blank)
                compose.onNode(hasText("Send to the stand-in") and hasClickAction()).assertIsNotEnabled()
            }
            phone.tap("Use the sample letter")
            assertEquals(SAMPLE_LETTER, phone.draft())
            compose.onNode(hasText("Send to the stand-in") and hasClickAction()).assertIsEnabled()
        }

    @Test
    fun `a letter ends at its limit and the screen says so`() =
        withLetter { phone ->
            val limit = LetterViewModel.LETTER_CHARACTERS_MAX
            phone.rewrite("a".repeat(limit + 1))
            assertEquals(limit, phone.draft().length)
            phone.waitFor("A letter has at most 4096 characters")
        }

    /** Never gets an answer, and tells when it is given up. */
    private class Waiting : LetterSender {
        val givenUp = CompletableDeferred<Unit>()

        override suspend fun send(letter: String): SentLetter =
            try {
                awaitCancellation()
            } finally {
                givenUp.complete(Unit)
            }
    }

    @Test
    fun `leaving gives the letter up`() {
        for (leave in listOf<(Phone) -> Unit>(
            { it.tap("Cancel") },
            { it.tap("Back") },
            { it.goBack() },
            { it.quit() },
        )) {
            val sender = Waiting()
            withLetter(sender) { phone ->
                phone.tap("Send to the stand-in")
                phone.waitFor("Cancel")
                assertFalse(phone.sees("Send to the stand-in"))
                leave(phone)
                phone.waitUntil("the letter to be given up") { sender.givenUp.isCompleted }
            }
        }
    }

    @Test
    fun `turning the phone keeps the letter on its way, and the end of the process its text`() {
        val sender = Waiting()
        withLetter(sender) { phone ->
            phone.rewrite("A letter of my own")
            phone.tap("Send to the stand-in")
            phone.waitFor("Cancel")
            phone.rotate()
            phone.waitFor("Cancel")
            assertFalse(sender.givenUp.isCompleted)
            phone.killAndRelaunch()
            phone.waitFor("Send to the stand-in")
            assertEquals("A letter of my own", phone.draft())
            phone.tap("Back")
            phone.waitFor("You need a model first")
        }
    }

    @Test
    fun `errors are said in plain words, and one can try again`() {
        val cases =
            mapOf(
                LetterException.NoStandIn(IOException("EPERM")) to "The stand-in could not be started",
                LetterException.NotAnswered(IOException("reset")) to "The letter was not answered",
                IllegalStateException() to "Something went wrong in the app",
            )
        for ((error, words) in cases) {
            withLetter(LetterSender { throw error }) { phone ->
                repeat(2) {
                    phone.tap("Send to the stand-in")
                    phone.waitFor(words)
                }
                assertFalse(phone.sees("EPERM"))
            }
        }
    }

    @Test
    fun `the menu of a conversation leads there and back`() =
        Phone(compose).use { phone ->
            phone.install(Bundles.tiny)
            phone.prepare({ ScriptedGateway() })
            phone.launch()
            phone.waitFor("Ask me something")
            phone.type("unsent")
            phone.tap("More")
            phone.tapLast(openFromCard)
            phone.waitFor("Send to the stand-in")
            val headings = SemanticsMatcher.keyIsDefined(SemanticsProperties.Heading)
            assertEquals(1, phone.count(headings))
            phone.tap("Back")
            phone.waitFor("Ask me something")
            assertEquals("unsent", phone.draft())
            assertEquals(1, phone.count(hasSetTextAction()))
        }
}
