package org.whimbrel.app

import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.runTest
import org.junit.Test
import org.whimbrel.FinishReason
import org.whimbrel.Message
import org.whimbrel.Network
import org.whimbrel.PlaceKind
import org.whimbrel.QueueFailure
import org.whimbrel.QueueRemedy
import org.whimbrel.QueueState
import org.whimbrel.QueuedQuestion
import org.whimbrel.Role
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.minutes

/** The conversation without a screen and without Android, in virtual time. */
@OptIn(ExperimentalCoroutinesApi::class)
class ConversationModelTest {
    private val shelf = ScriptedShelf()
    private val gateway = ScriptedGateway(shelf)
    private val device = FixedDeviceState()
    private val queued = mutableListOf<QueuedQuestion>()

    private fun withModel(
        id: String? = null,
        test: suspend TestScope.(ConversationModel) -> Unit,
    ) = runTest {
        val model = ConversationModel(backgroundScope, gateway::kept, device, { shelf.nowMs }, queued::add)
        model.start(id)
        settle()
        test(model)
    }

    private fun TestScope.settle() {
        testScheduler.advanceTimeBy(1_000)
        testScheduler.runCurrent()
    }

    private val ConversationModel.answer get() = state.value.messages.last() as ChatMessage.Answer
    private val ConversationModel.texts get() = state.value.messages.map { it.text }
    private val ConversationModel.waiting get() = state.value.messages.filterIsInstance<ChatMessage.Waiting>()

    private fun exchange(
        question: String,
        answer: String,
        receipt: Long? = null,
        isInterrupted: Boolean = false,
    ) = listOf(
        Message(Role.USER, question),
        Message(Role.ASSISTANT, answer, receipt = receipt, isInterrupted = isInterrupted),
    )

    @Test
    fun `an answer grows by its pieces and ends with its figures`() =
        withModel { model ->
            assertTrue(model.send(" Hello\n"))
            gateway.say("Good")
            gateway.say(" evening")
            settle()
            assertEquals("Good evening", model.answer.text)
            assertNull(model.answer.ending)
            assertTrue(model.state.value.isAnswering)
            gateway.finish(dropped = 2)
            settle()
            assertEquals(Ending.COMPLETE, model.answer.ending)
            assertEquals(2, model.answer.figures?.droppedMessages)
            assertFalse(model.state.value.isAnswering)
            assertEquals(listOf("Hello"), gateway.questions)
        }

    @Test
    fun `thoughts are told of and not shown`() =
        withModel { model ->
            model.send("Hello")
            gateway.think("Good evening or")
            gateway.think(" good morning?")
            settle()
            assertTrue(model.state.value.isThinking)
            assertEquals("", model.answer.text)
            gateway.say("Good evening")
            settle()
            assertFalse(model.state.value.isThinking)
            gateway.finish()
            settle()
            assertEquals("Good evening", model.answer.text)
            model.send("And now?")
            gateway.think("Nothing")
            gateway.fail("cut_off")
            settle()
            assertFalse(model.state.value.isThinking)
        }

    @Test
    fun `what is not sent`() =
        withModel { model ->
            assertFalse(model.send("  \n"))
            assertTrue(model.send("first"))
            assertFalse(model.send("while answering"))
            settle()
            assertEquals(listOf("first"), gateway.questions)
        }

    @Test
    fun `a stopped answer keeps its text, an ended one its reason`() =
        withModel { model ->
            model.send("a")
            gateway.say("half")
            settle()
            model.stop()
            settle()
            assertEquals(Ending.STOPPED to "half", model.answer.ending to model.answer.text)
            model.send("b")
            gateway.say("whole")
            gateway.finish(FinishReason.LENGTH)
            settle()
            assertEquals(Ending.LENGTH, model.answer.ending)
        }

    @Test
    fun `an answer says where it was made`() =
        withModel { model ->
            model.send("a")
            gateway.say("b")
            gateway.finish()
            settle()
            val provenance = model.answer.provenance
            assertEquals(PlaceKind.ON_DEVICE to 1L, provenance?.run { place to receipt })
            assertEquals(0, provenance?.bytesOut)
        }

    @Test
    fun `a question that nothing answers is given back with the reason`() =
        withModel { model ->
            val cases =
                mapOf(
                    "context_full" to Problem.ContextFull,
                    "out_of_memory" to Problem.OutOfMemory,
                    "unavailable" to Problem.NotAnswered,
                )
            for ((code, problem) in cases) {
                model.send("a")
                gateway.fail(code)
                settle()
                assertEquals(Notice(problem, "a"), model.state.value.notice)
                assertEquals(emptyList(), model.texts)
            }
            model.send("a")
            gateway.say("half")
            gateway.fail("engine", isPartial = true)
            settle()
            assertEquals(Ending.FAILED to "half", model.answer.ending to model.answer.text)
        }

    @Test
    fun `a new conversation is kept from its first question on`() =
        withModel { model ->
            assertNull(model.state.value.id)
            assertEquals(emptyList(), shelf.conversations)
            model.send("a")
            gateway.say("b")
            gateway.finish()
            settle()
            assertEquals(
                shelf.conversations
                    .single()
                    .summary.id,
                model.state.value.id,
            )
            model.startNew()
            settle()
            assertEquals(ConversationState(), model.state.value)
            model.send("c")
            gateway.say("d")
            gateway.finish()
            settle()
            assertEquals(listOf("c", "d"), model.texts)
            assertEquals(2, shelf.conversations.size)
        }

    @Test
    fun `a conversation in which nothing was said is not kept`() =
        withModel { model ->
            model.send("a")
            gateway.fail("context_full")
            settle()
            assertEquals(1, shelf.conversations.size)
            model.startNew()
            settle()
            assertEquals(emptyList(), shelf.conversations)
        }

    @Test
    fun `the newest conversation is shown at the start, with how its answers ended`() {
        shelf.keep("old", exchange("a", "b"), updatedMs = 1, isPinned = true)
        shelf.keep("new", exchange("c", "d", 7, true) + exchange("e", "f", 8, true) + exchange("g", "h"), updatedMs = 2)
        shelf.origins[7] = Origin(Provenance(PlaceKind.ON_DEVICE, "m", 7, null, 0), Ending.STOPPED)
        shelf.origins[8] = Origin(null, null)
        withModel { model ->
            assertEquals(listOf("c", "d", "e", "f", "g", "h"), model.texts)
            val answers =
                model.state.value.messages
                    .filterIsInstance<ChatMessage.Answer>()
            assertEquals(listOf(Ending.STOPPED, Ending.INTERRUPTED, Ending.COMPLETE), answers.map { it.ending })
            assertEquals(listOf(PlaceKind.ON_DEVICE, null, null), answers.map { it.provenance?.place })
            val ids =
                model.state.value.messages
                    .map { it.id }
            assertEquals(ids.distinct().sorted(), ids)
        }
        withModel(
            shelf.conversations
                .first()
                .summary.id,
        ) { model -> assertEquals(listOf("a", "b"), model.texts) }
        withModel("") { model -> assertEquals(emptyList(), model.texts) }
    }

    @Test
    fun `leaving a conversation stops its answer, and its memory is given back`() {
        val other = shelf.keep("other", exchange("x", "y"), updatedMs = -1)
        withModel("") { model ->
            model.send("a")
            gateway.say("half")
            settle()
            val id = model.state.value.id
            model.show(other.summary.id)
            settle()
            assertEquals(listOf("x", "y"), model.texts)
            assertFalse(model.state.value.isAnswering)
            assertEquals(listOf(id), shelf.left.toList<String?>())
            model.forget(other.summary.id)
            settle()
            assertEquals(ConversationState(), model.state.value)
        }
    }

    @Test
    fun `what cannot be read is said, and a new conversation begins`() {
        shelf.keep("a", exchange("a", "b"))
        gateway.conversations.failure = IllegalStateException()
        withModel { model ->
            assertEquals(
                Problem.Internal(100),
                model.state.value.notice
                    ?.problem,
            )
            assertTrue(model.send("a"))
        }
    }

    @Test
    fun `a question that waits is shown with its reason, and its answer when it comes`() =
        withModel { model ->
            model.send("a")
            gateway.queue()
            settle()
            val waiting = model.waiting.single()
            assertEquals("a", waiting.text)
            assertEquals(Wait.For(shelf.needs), waiting.wait)
            assertFalse(model.state.value.isAnswering)
            assertEquals(listOf(waiting.number), queued.map { it.id })
            assertNull(model.state.value.notice)
            device.set(Network.METERED)
            settle()
            assertEquals(Wait.Turn, model.waiting.single().wait, "there is a network now")
            device.set(Network.OFFLINE)
            settle()

            // A further one is behind it.
            model.send("b")
            gateway.queue()
            settle()
            assertEquals(listOf(Wait.For(shelf.needs), Wait.Behind), model.waiting.map { it.wait })

            shelf.alter(waiting.number) { it.copy(state = QueueState.Sending(null)) }
            settle()
            assertEquals(Wait.Sending(null), model.waiting.first().wait)
            shelf.answer(waiting.number, "the answer", receipt = 9)
            settle()
            assertEquals(listOf("a", "the answer", "b"), model.texts)
            assertEquals(Wait.For(shelf.needs), model.waiting.single().wait)
        }

    @Test
    fun `what the user does with a question that waits`() {
        val conversation = shelf.keep("a", exchange("a", "b"))
        val failure = QueueFailure("key_missing", null, QueueRemedy.SETTINGS)
        val question = shelf.enqueue(conversation.summary.id, "c", QueueState.Stuck(failure))
        withModel { model ->
            assertEquals(Wait.Stuck(Cause.KEY, "key_missing"), model.waiting.single().wait)
            model.change(question.id) { edit(question.id, "d") }
            settle()
            assertEquals("d", model.waiting.single().text)
            shelf.alter(question.id) { it.copy(state = QueueState.NeedsConfirmation) }
            settle()
            assertEquals(Wait.Confirmation, model.waiting.single().wait)
            model.change(question.id) { confirm(question.id) }
            settle()
            shelf.nowMs = 1_000
            shelf.alter(question.id) { it.copy(state = QueueState.Retrying(failure), retryIn = 2.minutes) }
            settle()
            assertEquals(Wait.Later(121_000, shelf.needs, Cause.KEY), model.waiting.single().wait)
            model.change(question.id) { retry(question.id) }
            settle()
            assertEquals(Wait.For(shelf.needs), model.waiting.single().wait)
            assertEquals(List(3) { question.id }, queued.map { it.id }, "each is a reason to run the outbox")
            model.change(question.id) { cancel(question.id) }
            settle()
            assertEquals(listOf("a", "b"), model.texts)
            assertEquals(listOf("start", "edit 1", "confirm 1", "retry 1", "cancel 1"), shelf.done)
            // It is gone by now.
            model.change(question.id) { throw IllegalStateException() }
            settle()
            assertEquals(
                Problem.Internal(100),
                model.state.value.notice
                    ?.problem,
            )
        }
    }

    @Test
    fun `the memory of a conversation in which questions wait stays`() {
        val conversation = shelf.keep("a", exchange("a", "b"))
        shelf.enqueue(conversation.summary.id, "c")
        withModel { model ->
            model.startNew()
            settle()
            assertEquals(emptyList(), shelf.left)
        }
    }
}
