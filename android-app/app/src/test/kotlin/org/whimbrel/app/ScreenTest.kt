package org.whimbrel.app

import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsEnabled
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.performTouchInput
import androidx.compose.ui.test.swipeDown
import kotlinx.coroutines.CompletableDeferred
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.whimbrel.FinishReason
import org.whimbrel.WhimbrelException
import org.whimbrel.android.FolderModelSource
import org.whimbrel.app.ui.MESSAGES_TAG

/** The screen, with a core that answers as each test tells it to. */
@RunWith(RobolectricTestRunner::class)
class ScreenTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val shelf = ScriptedShelf()
    private var gateway = ScriptedGateway(shelf)

    private fun withPhone(test: (Phone) -> Unit) =
        Phone(compose).use { phone ->
            phone.install(Bundles.tiny)
            phone.prepare({ gateway })
            phone.launch()
            phone.waitFor("Ask me something")
            test(phone)
        }

    @Test
    fun `a question is sent and its answer appears piece by piece`() =
        withPhone { phone ->
            compose.onNode(hasContentDescription("Send") and hasClickAction()).assertIsNotEnabled()
            phone.type("  What is a whimbrel?\n")
            compose.onNode(hasContentDescription("Send") and hasClickAction()).assertIsEnabled()
            phone.tap("Send")
            phone.waitFor("Answering…")
            assertEquals("", phone.draft())
            assertEquals(listOf("What is a whimbrel?"), phone.messages())
            gateway.think("Is it a bird?")
            phone.waitFor("Thinking…")
            assertEquals(listOf("What is a whimbrel?"), phone.messages())
            for ((piece, whole) in listOf(
                "A bird" to "A bird",
                " that" to "A bird that",
                " wades." to "A bird that wades.",
            )) {
                gateway.say(piece)
                phone.waitUntil(whole) { phone.messages().last() == whole }
            }
            gateway.finish(tokens = 1)
            phone.waitFor("1 token · 1.9 s · 24.3 tokens/s")
            assertFalse(phone.sees("Stop the answer"))
            assertEquals(listOf("What is a whimbrel?"), gateway.questions)
        }

    @Test
    fun `a long answer loses nothing`() =
        withPhone { phone ->
            phone.ask("Count")
            phone.waitFor("Answering…")
            val pieces = List(300) { "$it " }
            pieces.forEach { gateway.say(it) }
            // Before its end: then the screen takes over what the core has.
            phone.waitUntil("every piece") { phone.messages().last() == pieces.joinToString("") }
            gateway.finish(tokens = pieces.size)
            phone.waitFor("300 tokens")
            assertEquals(pieces.joinToString(""), phone.messages().last())
        }

    @Test
    fun `stopping keeps what was said and lets one ask again`() =
        withPhone { phone ->
            phone.ask("First")
            gateway.say("Half an ans")
            phone.waitUntil("the beginning") { phone.messages().last() == "Half an ans" }
            phone.tap("Stop the answer")
            phone.waitFor("Stopped")
            phone.waitFor("7 tokens")
            phone.ask("Second")
            gateway.say("Whole.")
            gateway.finish(FinishReason.LENGTH)
            phone.waitFor("Ended at the limit for one answer")
            assertEquals(listOf("First", "Half an ans", "Second", "Whole."), phone.messages())
        }

    @Test
    fun `turning the phone keeps the answer in the making and the unsent message`() =
        withPhone { phone ->
            phone.ask("Hello")
            gateway.say("One")
            phone.waitUntil("the beginning") { phone.messages().last() == "One" }
            phone.type("to be continued")
            phone.rotate()
            assertEquals(listOf("Hello", "One"), phone.messages())
            assertEquals("to be continued", phone.draft())
            gateway.say(" two")
            gateway.finish()
            phone.waitFor("42 tokens")
            assertEquals(listOf("Hello", "One two"), phone.messages())
            assertFalse("the core lived through it", gateway.isClosed)
        }

    @Test
    fun `the end of the process interrupts an answer and keeps the rest`() =
        withPhone { phone ->
            phone.ask("Hello")
            gateway.say("Good eve")
            phone.waitUntil("the beginning") { phone.messages().last() == "Good eve" }
            phone.type("an unsent message")
            gateway = ScriptedGateway(shelf)
            shelf.conversations.single().interrupt()
            phone.killAndRelaunch()
            phone.waitFor("Interrupted: this is only the beginning")
            assertEquals(listOf("Hello", "Good eve"), phone.messages())
            assertEquals("an unsent message", phone.draft())
        }

    @Test
    fun `an answer says where it was made, and a touch opens its receipt`() =
        withPhone { phone ->
            phone.ask("Hello")
            gateway.say("Good evening.")
            gateway.finish()
            phone.waitFor("Answered on this phone")
            phone.tap("Answered on this phone")
            phone.waitFor("Receipt 1")
            assertTrue(phone.sees("Answered on this phone: SmolLM2 135M Instruct"))
            assertTrue(phone.sees("Nothing left this phone."))
            assertTrue(phone.sees("nothing may leave it"))
            phone.tap("Close")
            phone.waitUntil("the receipt to close") { !phone.sees("Receipt 1") }
        }

    @Test
    fun `the list follows a reader at the bottom and leaves one alone who scrolled up`() =
        withPhone { phone ->
            phone.ask("Tell me everything")
            phone.waitFor("Answering…")
            repeat(60) { gateway.say("Line $it\n") }
            phone.waitUntil("the end of what was said") { phone.messages().lastOrNull()?.endsWith("Line 59\n") == true }
            phone.node("Answering…").assertIsDisplayed()
            compose.onNodeWithTag(MESSAGES_TAG).performTouchInput { swipeDown() }
            phone.waitFor("Go to the latest message")
            val before = positions()
            repeat(20) { gateway.say("More $it\n") }
            phone.waitUntil("more of it") { phone.messages().lastOrNull()?.endsWith("More 19\n") == true }
            assertEquals(before, positions())
            phone.tap("Go to the latest message")
            gateway.finish()
            phone.waitFor("42 tokens")
            phone.node("42 tokens").assertIsDisplayed()
            assertFalse(phone.sees("Go to the latest message"))
        }

    /** Where the messages begin. */
    private fun positions() =
        compose
            .onAllNodes(hasContentDescription("Answer: ", substring = true), useUnmergedTree = true)
            .fetchSemanticsNodes()
            .map { it.positionInRoot }

    @Test
    fun `a long question is read with progress`() =
        withPhone { phone ->
            phone.ask("Long")
            gateway.read(128, 512)
            phone.waitFor("Reading the question: 25 %")
            gateway.say("x")
            phone.waitFor("Answering…")
        }

    @Test
    fun `a new conversation leaves the one before among the others`() =
        withPhone { phone ->
            phone.ask("Hello")
            gateway.say("Good evening.")
            gateway.finish()
            phone.waitFor("42 tokens")
            phone.tap("New conversation")
            phone.waitFor("Ask me something")
            phone.ask("Second")
            gateway.say("Answer.")
            gateway.finish()
            phone.waitFor("42 tokens")
            assertEquals(listOf("Second", "Answer."), phone.messages())
            phone.tap("Conversations")
            phone.waitFor("Good evening.")
            phone.tap("Hello")
            phone.waitUntil("the first conversation") { phone.messages() == listOf("Hello", "Good evening.") }
        }

    @Test
    fun `a suggestion becomes the message`() =
        withPhone { phone ->
            phone.tap("What does a doctor do?")
            assertEquals("What does a doctor do?", phone.draft())
        }

    @Test
    fun `a message ends at its limit and the screen says so`() =
        withPhone { phone ->
            val limit = AssistantViewModel.DRAFT_CHARACTERS_MAX
            phone.type("a".repeat(limit - 1))
            assertFalse(phone.sees("A message has at most"))
            phone.type("bc")
            assertEquals(limit, phone.draft().length)
            phone.waitFor("A message has at most 16384 characters")
        }

    @Test
    fun `the model is removed when the user confirms it`() =
        withPhone { phone ->
            phone.tap("More")
            phone.tap("Remove the model")
            phone.waitFor("The model's files are deleted")
            phone.tap("Remove")
            phone.waitFor("You need a model first")
            assertEquals(emptyList<String>(), phone.modelFolder.list()?.toList())
        }

    @Test
    fun `an app without its native library says so`() =
        Phone(compose).use { phone ->
            phone.install(Bundles.tiny)
            phone.prepare({ ScriptedGateway(shelf) { throw libraryMissing() } })
            phone.launch()
            phone.waitFor("lacks the part that runs models")
        }

    @Test
    fun `too little space is said with both numbers, and trying again goes on`() =
        Phone(compose).use { phone ->
            var free = 1_000_000L
            val installer = org.whimbrel.android.ModelInstaller(phone.modelFolder, freeBytes = { free })
            phone.prepare({ gateway }, listOf(OfferedModel("Tiny", FolderModelSource(Bundles.tiny))), installer)
            phone.launch()
            phone.waitFor("Install Tiny")
            phone.tap("Install Tiny")
            phone.waitFor("There is not enough space")
            free = Long.MAX_VALUE
            phone.tap("Try again")
            phone.waitFor("Ask me something")
        }

    @Test
    fun `everything that can be touched has a label and is large enough`() =
        Phone(compose).use { phone ->
            val opened = CompletableDeferred<Unit>()
            gateway = ScriptedGateway(shelf) { opened.await() }
            phone.prepare({ gateway }, listOf(OfferedModel("Tiny", FolderModelSource(Bundles.tiny))))
            phone.launch()
            phone.waitFor("Install Tiny")
            phone.checkTouchables("not installed", 3)
            phone.tap("See what a cloud service would get")
            phone.waitFor("Send to the stand-in")
            phone.checkTouchables("letter", 3)
            phone.tap("Back")
            phone.waitFor("Install Tiny")
            phone.tap("Install Tiny")
            phone.waitFor("Opening the model")
            opened.complete(Unit)
            phone.waitFor("Ask me something")
            phone.checkTouchables("empty", 7)
            phone.ask("Hello")
            phone.waitFor("Answering…")
            phone.checkTouchables("answering", 4)
            gateway.say("Good evening.")
            gateway.finish()
            phone.waitFor("42 tokens")
            phone.checkTouchables("answered", 5)
        }

    @Test
    fun `a screen reader hears an answer sentence by sentence`() =
        withPhone { phone ->
            phone.ask("Hello")
            phone.waitUntil("the beginning to be announced") { announcement() == "Answering…" }
            gateway.say("Good evening. How")
            phone.waitUntil("the first sentence") { announcement() == "Good evening." }
            gateway.say(" are you")
            phone.waitFor("How are you")
            assertEquals("Good evening.", announcement())
            gateway.finish()
            phone.waitUntil("the rest") { announcement() == "How are you" }
        }

    private fun announcement(): String {
        val polite = SemanticsMatcher.expectValue(SemanticsProperties.LiveRegion, LiveRegionMode.Polite)
        val nodes = compose.onAllNodes(polite, useUnmergedTree = true).fetchSemanticsNodes()
        return nodes
            .flatMap {
                it.config.getOrElse(
                    SemanticsProperties.ContentDescription,
                ) { emptyList() }
            }.joinToString()
    }

    @Test
    fun `headings lead a screen reader through the screen`() =
        withPhone { phone ->
            val headings = SemanticsMatcher.keyIsDefined(SemanticsProperties.Heading)
            assertEquals("the app's name, and the title of the empty conversation", 2, phone.count(headings))
        }

    /** As the package throws it; only the package makes one itself. */
    private fun libraryMissing(): WhimbrelException =
        WhimbrelException.Library::class
            .java.constructors
            .first { it.parameterCount == 3 }
            .newInstance("missing", "the APK has no libwhimbrel.so", null) as WhimbrelException
}
