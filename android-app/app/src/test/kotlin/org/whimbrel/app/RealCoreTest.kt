package org.whimbrel.app

import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.whimbrel.GenerationOptions
import org.whimbrel.android.FolderModelSource
import java.io.File

/** The whole app with the real core and real models: from the touch to the weights and back. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "+h1600dp")
class RealCoreTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    @Test
    fun `SmolLM2 is installed, answers, is stopped, turned round, killed, and goes on`() =
        Phone(compose).use { phone ->
            val options = phone.options(contextLength = 1024, ANSWER)
            phone.prepare(
                { WhimbrelGateway(options) },
                listOf(OfferedModel("SmolLM2", FolderModelSource(Bundles.smollm2))),
            )
            phone.launch()
            phone.waitFor("You need a model first")
            phone.tap("Install SmolLM2")
            phone.waitFor("on this phone")
            phone.waitFor("Ask me something")

            phone.ask("Write a long story about a bird that crosses the ocean.")
            phone.waitFor("Answering…")
            val lengths = mutableSetOf<Int>()
            phone.waitUntil("an answer that grows") {
                lengths += phone.messages().drop(1).sumOf { it.length }
                lengths.size > PIECES_SEEN
            }
            phone.tap("Stop the answer")
            phone.waitFor("Stopped")
            val stopped = phone.messages()
            assertTrue(stopped[1].isNotBlank())

            phone.ask("What is the capital of France?")
            phone.waitUntil("the end of the second answer") { phone.isAtRest() && phone.messages().size == 4 }
            assertEquals(2, phone.count(hasText("Answered on this phone")))
            val asked = phone.messages()
            assertEquals(stopped, asked.take(2))
            assertTrue("the model knows the capital of France", "Paris" in asked.last())

            phone.rotate()
            // A low screen has no room for all of it.
            phone.waitUntil("the end of the conversation after turning") {
                phone.messages().run {
                    size > 1 &&
                        this == asked.takeLast(size)
                }
            }
            phone.rotate()
            phone.waitUntil("the conversation after turning back") { phone.messages() == asked }
            phone.killAndRelaunch()
            phone.waitUntil("the conversation after the end of the process") {
                phone.sees("Message") &&
                    phone.messages() == asked
            }

            phone.ask("Which country were we talking about?")
            phone.waitUntil("an answer that knows what was said before") {
                phone.isAtRest() &&
                    phone.messages().size == 6
            }
            assertTrue("the model was told the earlier conversation", "France" in phone.messages().last())
        }

    @Test
    fun `without a model the screen says what to do`() =
        Phone(compose).use { phone ->
            phone.prepare({ WhimbrelGateway(phone.options(contextLength = 768, ANSWER)) })
            phone.launch()
            phone.waitFor("You need a model first")
            assertTrue(phone.sees("Choose a folder"))
        }

    @Test
    fun `a damaged model is named and can be removed`() =
        damaged { folder ->
            val weights = folder.walk().single { it.name == "weights.bin" }
            val bytes = weights.readBytes()
            bytes[bytes.size / 2] = (bytes[bytes.size / 2].toInt() xor 1).toByte()
            weights.writeBytes(bytes)
        }

    @Test
    fun `a model with a file missing is named and can be removed`() =
        damaged { folder -> File(folder, "tokenizer.bin").delete() }

    @Test
    fun `a question that does not fit is given back`() =
        Phone(compose).use { phone ->
            phone.prepareReal(Bundles.tiny, contextLength = 64)
            phone.launch()
            phone.waitFor("Ask me something")
            val question = "word ".repeat(200).trim()
            phone.ask(question)
            phone.waitFor("There is no room for this question")
            assertEquals("", phone.draft())
            phone.tap("Edit the question")
            assertEquals(question, phone.draft())
            assertEquals(emptyList<String>(), phone.messages())
        }

    @Test
    fun `when the context is full the oldest messages are left out, and the screen says so`() =
        Phone(compose).use { phone ->
            phone.prepareReal(Bundles.tiny, contextLength = 160, generation = GenerationOptions(maxTokens = 30))
            phone.launch()
            phone.waitFor("Ask me something")
            for (turn in 1..4) {
                phone.ask("Tell me more, please")
                phone.waitUntil("the end of answer $turn") { phone.isAtRest() && phone.messages().isNotEmpty() }
            }
            phone.waitFor("no longer fitted and")
        }

    private fun damaged(damage: (File) -> Unit) =
        Phone(compose).use { phone ->
            phone.prepareReal(Bundles.tiny)
            damage(File(phone.modelFolder, "installed"))
            phone.launch()
            phone.waitFor("A file of the model is damaged or missing")
            phone.tap("Remove the model")
            phone.waitFor("You need a model first")
            assertFalse(File(phone.modelFolder, "installed").exists())
        }

    private fun Phone.isAtRest() = !sees("Stop the answer")

    private companion object {
        const val PIECES_SEEN = 4
        val ANSWER = { GenerationOptions(maxTokens = 160) }
    }
}
