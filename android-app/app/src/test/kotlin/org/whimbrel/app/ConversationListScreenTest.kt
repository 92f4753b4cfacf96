package org.whimbrel.app

import androidx.compose.ui.test.junit4.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.performScrollToIndex
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.whimbrel.Message
import org.whimbrel.QueueFailure
import org.whimbrel.QueueRemedy
import org.whimbrel.QueueState
import org.whimbrel.Role
import org.whimbrel.app.ui.CONVERSATIONS_TAG

/** The list of conversations and the questions that wait, with a core that does as each test tells it to. */
@RunWith(RobolectricTestRunner::class)
class ConversationListScreenTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val shelf = ScriptedShelf()
    private val gateway = ScriptedGateway(shelf)

    private fun keep(
        title: String,
        answer: String,
    ) = shelf.keep(title, listOf(Message(Role.USER, "?"), Message(Role.ASSISTANT, answer)), ++shelf.nowMs)

    private fun withPhone(test: (Phone) -> Unit) =
        Phone(compose).use { phone ->
            phone.install(Bundles.tiny)
            phone.prepare({ gateway })
            phone.launch()
            phone.waitUntil("the app") {
                phone.sees("Conversations") &&
                    !phone
                        .model()
                        .conversationState.value.isOpening
            }
            test(phone)
        }

    private fun withList(test: (Phone) -> Unit) {
        keep("Birds", "A whimbrel is a wader.")
        keep("Tides", "The Moon pulls the water.")
        withPhone { phone ->
            phone.tap("Conversations")
            phone.waitFor("A whimbrel is a wader.")
            test(phone)
        }
    }

    @Test
    fun `a conversation is opened from the list`() =
        withList { phone ->
            phone.tap("Birds")
            phone.waitUntil("its messages") { phone.messages() == listOf("?", "A whimbrel is a wader.") }
            phone.tap("Conversations")
            phone.waitFor("Tides")
            phone.goBack()
            phone.waitUntil("the same conversation") { phone.messages().size == 2 }
        }

    @Test
    fun `a search shows hits, and a touch opens their conversation`() =
        withList { phone ->
            phone.type("moon")
            phone.waitUntil("the hit alone") { phone.sees("The Moon pulls") && !phone.sees("Birds") }
            phone.checkTouchables("search", 5)
            phone.tap("Tides")
            phone.waitUntil("its messages") { phone.messages().lastOrNull() == "The Moon pulls the water." }
            phone.tap("Conversations")
            phone.waitFor("Birds")
            assertEquals("the search is over", "", phone.draft())
            phone.type("nowhere")
            phone.waitFor("Nothing found for “nowhere”")
            phone.tap("Clear the search")
            phone.waitFor("Birds")
        }

    @Test
    fun `a conversation is renamed and pinned`() =
        withList { phone ->
            phone.tap("More about “Birds”")
            phone.tap("Rename")
            phone.waitFor("Rename the conversation")
            phone.rewrite("Waders")
            phone.tap("Save")
            phone.waitFor("More about “Waders”")
            phone.tap("More about “Waders”")
            phone.tap("Pin")
            phone.waitFor("Pinned")
            assertEquals(listOf("Waders", "Tides"), phone.rows())
            phone.tap("More about “Waders”")
            phone.tap("Unpin")
            phone.waitUntil("the old order") { phone.rows() == listOf("Tides", "Waders") }
        }

    private fun Phone.rows() =
        model()
            .listState.value.rows
            .orEmpty()
            .map { it.title }

    @Test
    fun `a conversation is deleted when the user confirms it`() =
        withList { phone ->
            phone.tap("More about “Tides”")
            phone.tap("Delete")
            phone.waitFor("This cannot be undone")
            phone.tap("Cancel")
            assertEquals(2, shelf.conversations.size)
            phone.tap("More about “Tides”")
            phone.tap("Delete")
            phone.waitFor("This cannot be undone")
            phone.tap("Delete")
            phone.waitUntil("it to go") { phone.rows() == listOf("Birds") }
            phone.goBack()
            phone.waitFor("Ask me something")
        }

    @Test
    fun `an empty list leads to a new conversation`() =
        withPhone { phone ->
            phone.tap("Conversations")
            phone.waitFor("No conversations yet")
            phone.checkTouchables("empty list", 4)
            phone.tapLast("New conversation")
            phone.waitFor("Ask me something")
        }

    @Test
    fun `a long list goes on where it ended`() {
        repeat(ConversationListModel.PAGE + 5) { keep("Conversation $it", "x") }
        withPhone { phone ->
            phone.tap("Conversations")
            phone.waitFor("Conversation 54")
            compose.onNodeWithTag(CONVERSATIONS_TAG).performScrollToIndex(ConversationListModel.PAGE - 1)
            phone.waitUntil("the next page") { phone.rows().size == ConversationListModel.PAGE + 5 }
        }
    }

    @Test
    fun `the list is there again after the end of the process`() =
        withList { phone ->
            phone.killAndRelaunch()
            phone.waitFor("A whimbrel is a wader.")
            phone.goBack()
            phone.waitUntil("the newest conversation") { phone.messages().lastOrNull() == "The Moon pulls the water." }
        }

    @Test
    fun `a question waits for a network, is changed, and is answered later`() =
        withPhone { phone ->
            phone.ask("Where?")
            gateway.queue()
            phone.waitFor("Waiting for a network")
            assertEquals(listOf(NextRun(phone.nowMs, shelf.needs)), phone.plans)
            assertEquals(listOf("Where?"), phone.messages())
            phone.checkTouchables("waiting", 7)
            phone.type("unsent")
            phone.tap("Edit")
            phone.waitFor("Changing the question that waits")
            assertEquals("Where?", phone.draft())
            phone.checkTouchables("editing", 8)
            phone.rewrite("Where to?")
            phone.tap("Save")
            assertEquals("unsent", phone.draft())
            phone.waitUntil("the changed question") { phone.messages() == listOf("Where to?") }
            shelf.alter(1) { it.copy(state = QueueState.NeedsConfirmation) }
            phone.waitFor("Should it still be sent?")
            phone.tapInMessages("Send")
            phone.waitFor("Waiting for a network")
            shelf.alter(1) { it.copy(state = QueueState.Sending(null)) }
            phone.waitFor("Its turn has come")
            assertFalse("nothing can be done with it now", phone.sees("Take back"))
            shelf.answer(1, "To the south.")
            phone.waitUntil("the answer") { phone.messages() == listOf("Where to?", "To the south.") }
        }

    @Test
    fun `a question that is stuck says why, is tried again and taken back`() =
        withPhone { phone ->
            phone.ask("Where?")
            gateway.queue()
            phone.waitFor("Waiting for a network")
            val failure = QueueFailure("key_missing", null, QueueRemedy.SETTINGS)
            shelf.alter(1) { it.copy(state = QueueState.Stuck(failure)) }
            phone.waitFor("The service did not get a key that it accepts.")
            phone.tap("Try now")
            phone.waitFor("Waiting for a network")
            phone.tap("Take back")
            phone.waitFor("It leaves nothing in the conversation")
            phone.tap("Delete")
            phone.waitFor("Ask me something")
            assertTrue("cancel 1" in shelf.done)
        }

    @Test
    fun `with a policy of the builder's the empty conversation promises nothing`() =
        Phone(compose).use { phone ->
            phone.install(Bundles.tiny)
            phone.prepare({ gateway }, isPrivate = false)
            phone.launch()
            phone.waitFor("The policy of this app says where answers are made")
            assertFalse(phone.sees("Nothing you write leaves it"))
        }
}
