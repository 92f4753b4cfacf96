package org.whimbrel.app

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.advanceUntilIdle
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withContext
import org.junit.Test
import org.whimbrel.Outcome
import org.whimbrel.PrivacyClass
import org.whimbrel.Receipt
import kotlin.test.assertEquals

/** The letter without a screen and without Android, in virtual time. */
@OptIn(ExperimentalCoroutinesApi::class)
class LetterModelTest {
    private val letters = mutableListOf<String>()
    private var result = CompletableDeferred<SentLetter>()

    private fun TestScope.model(sender: LetterSender = LetterSender { await(it) }) = LetterModel(this, sender)

    private suspend fun await(letter: String): SentLetter {
        letters += letter
        return result.await()
    }

    @Test
    fun `one letter is sent at a time, and a blank one never`() =
        runTest {
            val model = model()
            for (blank in listOf("", " \n")) model.send(blank)
            assertEquals(LetterState.Unsent, model.state.value)
            model.send("first")
            model.send("second")
            advanceUntilIdle()
            assertEquals(LetterState.Sending, model.state.value)
            result.complete(SENT)
            advanceUntilIdle()
            assertEquals(LetterState.Answered(SENT), model.state.value)
            model.send("third")
            advanceUntilIdle()
            assertEquals(listOf("first", "third"), letters)
        }

    @Test
    fun `an error becomes a problem, and the letter can be sent again`() =
        runTest {
            val model = model()
            result.completeExceptionally(LetterException.NotAnswered(null))
            model.send("first")
            advanceUntilIdle()
            assertEquals(LetterState.Failed(Problem.LetterNotAnswered), model.state.value)
            result = CompletableDeferred(SENT)
            model.send("first")
            advanceUntilIdle()
            assertEquals(LetterState.Answered(SENT), model.state.value)
        }

    @Test
    fun `a letter that was given up says nothing later`() =
        runTest {
            // The core may take a moment to end, and the answer may come in it.
            val model = model { withContext(NonCancellable) { await(it) } }
            model.send("first")
            advanceUntilIdle()
            model.forget()
            assertEquals(LetterState.Unsent, model.state.value)
            result.complete(SENT)
            advanceUntilIdle()
            assertEquals(LetterState.Unsent, model.state.value)
        }

    private companion object {
        val SENT =
            SentLetter(
                recognised = listOf(Recognised("email", "a@b.example", "⟨EMAIL_1⟩")),
                received = "⟨EMAIL_1⟩",
                answer = "a@b.example",
                receipt =
                    Receipt(
                        id = 1,
                        openedMs = 0,
                        closedMs = 1,
                        outcome = Outcome.ANSWERED,
                        place = null,
                        task = "chat",
                        privacyClass = PrivacyClass.PERSONAL,
                        rules = emptyList(),
                        findings = mapOf("email" to 1),
                        redacted = mapOf("email" to 1),
                        repeated = emptyMap(),
                        bytesOut = 10,
                        bytesOutUncertain = 0,
                        bytesIn = 10,
                        answeredBefore = null,
                        json = "{}",
                    ),
            )
    }
}
