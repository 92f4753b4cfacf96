package org.whimbrel.app

import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.whimbrel.GenerationOptions
import org.whimbrel.Network
import org.whimbrel.PolicyDocument
import org.whimbrel.android.FolderModelSource
import java.io.File

/** The whole app with the real core and real models: from the touch to the weights and back. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "+h1600dp")
class RealCoreTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    @Test
    fun `SmolLM2 is installed, answers, is turned round, killed, goes on, and is stopped`() =
        Phone(compose).use { phone ->
            phone.prepare(
                phone.realGateways(phone.options(contextLength = 2048, generation = ANSWER)),
                listOf(OfferedModel("SmolLM2", FolderModelSource(Bundles.smollm2))),
            )
            phone.launch()
            phone.waitFor("You need a model first")
            phone.tap("Install SmolLM2")
            phone.waitFor("on this phone")
            phone.waitFor("Ask me something")

            phone.ask("What is the capital of France?")
            phone.waitUntil("the end of the answer") { phone.isAtRest() && phone.messages().size == 2 }
            phone.waitFor("Answered on this phone")
            val asked = phone.messages()
            assertTrue("the model knows the capital of France", "Paris" in asked.last())

            phone.rotate()
            // A low screen has no room for all of it.
            phone.waitUntil("the end of the conversation after turning") {
                phone.messages().run { isNotEmpty() && this == asked.takeLast(size) }
            }
            phone.rotate()
            phone.waitUntil("the conversation after turning back") { phone.messages() == asked }
            phone.killAndRelaunch()
            phone.waitUntil("the conversation after the end of the process") {
                phone.sees("Message") && phone.messages() == asked && phone.isAtRest()
            }

            phone.ask("Which country were we talking about?")
            phone.waitUntil("an answer that knows what was said before") {
                phone.isAtRest() && phone.messages().size == 4
            }
            assertEquals(2, phone.count(hasText("Answered on this phone")))
            assertTrue("the model was told the earlier conversation", "France" in phone.messages().last())

            // Last, since how far it comes is a matter of chance.
            phone.ask("Write a long story about a bird that crosses the ocean.")
            phone.waitFor("Answering…")
            val lengths = mutableSetOf<Int>()
            phone.waitUntil("an answer that grows") {
                lengths += phone.messages().last().length
                lengths.size > PIECES_SEEN
            }
            phone.tap("Stop the answer")
            phone.waitFor("Stopped")
            val stopped = phone.messages()
            assertTrue(stopped.last().isNotBlank())
            phone.killAndRelaunch()
            phone.waitUntil("the stopped answer after the end of the process") {
                phone.isAtRest() && phone.messages().run { isNotEmpty() && this == stopped.takeLast(size) }
            }
        }

    @Test
    fun `without a model the screen says what to do`() =
        Phone(compose).use { phone ->
            phone.prepare(phone.realGateways(phone.options(contextLength = 768)))
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

    @Test
    fun `conversations are kept, found, opened and deleted`() =
        Phone(compose).use { phone ->
            phone.prepareReal(Bundles.tiny, generation = GenerationOptions(maxTokens = 12))
            phone.launch()
            phone.waitFor("Ask me something")
            for (question in listOf("Where do whimbrels winter?", "What is a tide?")) {
                phone.ask(question)
                phone.waitUntil("the end of the answer") { phone.isAtRest() && phone.sees("Answered on this phone") }
                phone.tap("New conversation")
                phone.waitFor("Ask me something")
            }
            phone.killAndRelaunch()
            phone.waitFor("Ask me something")
            phone.tap("Conversations")
            phone.waitFor("Where do whimbrels winter?")
            assertTrue("each has its title", phone.sees("What is a tide?"))
            phone.type("WHIMBRELS")
            phone.waitUntil("the hits alone") {
                phone.sees("Where do whimbrels winter?") &&
                    !phone.sees("What is a tide?")
            }
            phone.tapFirst("Where do whimbrels winter?")
            phone.waitUntil("its messages") { phone.messages().firstOrNull() == "Where do whimbrels winter?" }
            phone.waitFor("Answered on this phone")
            phone.tap("Conversations")
            phone.waitFor("What is a tide?")
            phone.tap("More about “Where do whimbrels winter?”")
            phone.tap("Delete")
            phone.waitFor("This cannot be undone")
            phone.tap("Delete")
            phone.waitUntil("it to go") { !phone.sees("Where do whimbrels winter?") }
            phone.goBack()
            phone.waitFor("Ask me something")
        }

    @Test
    fun `a question waits for a network over the end of the process, and is answered in the background`() =
        withStandIn { phone, standIn ->
            phone.ask("Where do whimbrels winter?")
            phone.waitFor("Waiting for a network")
            phone.waitUntil("work to be planned") { phone.plans.isNotEmpty() }
            assertEquals(listOf(true), phone.plans.map { it.needs.network })
            phone.killAndRelaunch()
            phone.waitFor("Waiting for a network")
            assertEquals(listOf("Where do whimbrels winter?"), phone.messages())
            phone.quit()

            assertTrue("without a network it still waits", phone.runOutbox()?.needs?.network == true)
            phone.device.set(Network.UNMETERED)
            val received = CoroutineScope(Dispatchers.IO).async { standIn.serve(Dispatchers.IO) }
            assertNull("nothing is left to do", phone.runOutbox())
            assertEquals("Where do whimbrels winter?", runBlocking { received.await() })

            phone.launch()
            phone.waitFor("Answered by your organisation")
            assertEquals("Where do whimbrels winter?", phone.messages().first())
            assertEquals(2, phone.messages().size)
            assertFalse(phone.sees("Waiting for a network"))
        }

    @Test
    fun `a question that waits is answered on the screen when there is a network`() =
        withStandIn { phone, standIn ->
            phone.ask("First")
            phone.waitFor("Waiting for a network")
            phone.ask("Second")
            phone.waitFor("Waiting for the answer to the question before it")
            phone.tapFirst("Take back")
            phone.waitFor("It leaves nothing in the conversation")
            phone.tap("Delete")
            phone.waitUntil("the second to be alone") { phone.messages() == listOf("Second") }
            phone.tap("Edit")
            phone.rewrite("Third")
            phone.tap("Save")
            phone.waitUntil("the changed question") { phone.messages() == listOf("Third") }
            val received = CoroutineScope(Dispatchers.IO).async { standIn.serve(Dispatchers.IO) }
            phone.device.set(Network.METERED)
            phone.waitFor("Answered by your organisation")
            assertEquals("Third", runBlocking { received.await() })
            assertEquals(2, phone.messages().size)
        }

    /** With the tiny model for the screen, and a policy that knows only an endpoint and the queue. */
    private fun withStandIn(test: (Phone, StandIn) -> Unit) =
        Phone(compose).use { phone ->
            StandIn.start().use { standIn ->
                phone.install(Bundles.tiny)
                val policy = PolicyDocument.Toml(policy(standIn.port))
                phone.prepare(phone.realGateways(phone.options(contextLength = 256, policy)), isPrivate = false)
                phone.launch()
                phone.waitFor("Ask me something")
                test(phone, standIn)
            }
        }

    private fun policy(port: Int) =
        """
        version = 1
        name = "waiting"
        otherwise = ["remote:house", "queue"]
        [[endpoints]]
        id = "house"
        base_url = "http://127.0.0.1:$port/v1"
        model = "m"
        trust = "organisation"
        cost_per_1k_tokens = 0
        class_max = "personal"
        class_max_redacted = "secret"
        """.trimIndent()

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

    private fun Phone.isAtRest() = !sees("Stop the answer") && !model().conversationState.value.isOpening

    private companion object {
        const val PIECES_SEEN = 4

        // Long enough that it can be stopped on a quick machine.
        val ANSWER = { GenerationOptions(maxTokens = 1_000) }
    }
}
