package org.whimbrel.app

import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.advanceUntilIdle
import kotlinx.coroutines.test.runTest
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.whimbrel.FinishReason
import org.whimbrel.Message
import org.whimbrel.PlaceKind
import org.whimbrel.PrivacyClass
import org.whimbrel.Role
import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** The conversation without a screen and without Android, in virtual time. */
@OptIn(ExperimentalCoroutinesApi::class)
class ConversationModelTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val gateway = ScriptedGateway()
    private val file by lazy { File(folder.root, "conversation.json") }

    private fun withModel(test: suspend TestScope.(ConversationModel) -> Unit) =
        runTest {
            val model = model()
            model.attach(gateway.conversation(model.history()))
            test(model)
            model.close()
        }

    private fun TestScope.model() =
        ConversationModel(backgroundScope, ConversationStore(file), StandardTestDispatcher(testScheduler))

    private fun TestScope.settle() = advanceUntilIdle().also { testScheduler.advanceTimeBy(1_000) }

    private val ConversationModel.answer get() = state.value.messages.last() as ChatMessage.Answer

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
        runTest {
            val model = model()
            assertFalse(model.send("no model yet"))
            model.attach(gateway.conversation(emptyList()))
            assertFalse(model.send("  \n"))
            assertTrue(model.send("first"))
            assertFalse(model.send("while answering"))
            settle()
            assertEquals(listOf("first"), gateway.questions)
            model.attach(null)
            assertFalse(model.send("no model any more"))
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
            gateway.finish(FinishReason.LENGTH)
            settle()
            assertEquals(Ending.LENGTH, model.answer.ending)
        }

    @Test
    fun `an answer says where it was made, and its messages who may read them`() {
        withModel { model ->
            model.send("a")
            gateway.say("b")
            gateway.finish()
            settle()
            val provenance = model.answer.provenance
            assertEquals(PlaceKind.ON_DEVICE to 1L, provenance?.run { place to receipt })
            assertEquals(0, provenance?.bytesOut)
        }
        withModel { model ->
            val kept =
                listOf(
                    Message(Role.USER, "a", PrivacyClass.PERSONAL, listOf("own")),
                    Message(Role.ASSISTANT, "b", PrivacyClass.PUBLIC, listOf("any")),
                )
            assertEquals(kept, gateway.history)
            assertEquals(1, model.answer.provenance?.receipt)
        }
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
                assertEquals(ConversationState(notice = Notice(problem, "a")), model.state.value)
            }
            model.send("a")
            gateway.say("half")
            gateway.fail("engine", isPartial = true)
            settle()
            assertEquals(Ending.FAILED to "half", model.answer.ending to model.answer.text)
        }

    @Test
    fun `starting over in the middle of an answer`() =
        withModel { model ->
            model.send("a")
            gateway.say("half")
            settle()
            model.startOver()
            settle()
            assertEquals(ConversationState(), model.state.value)
            assertEquals(1, gateway.resets)
            assertTrue(model.send("b"))
        }

    @Test
    fun `everything is written soon, also what comes last`() =
        withModel { model ->
            model.send("a")
            gateway.say("one")
            settle()
            assertEquals("one", ConversationStore(file).read().last().text)
            gateway.say(" two")
            testScheduler.runCurrent()
            model.close()
            assertEquals(listOf("a", "one two"), ConversationStore(file).read().map { it.text })
        }

    @Test
    fun `an earlier conversation is shown and told to the model, without what has no answer`() {
        val figures = null
        ConversationStore(file).write {
            listOf(
                ChatMessage.Question(1, "a"),
                ChatMessage.Answer(2, "b", Ending.COMPLETE, figures),
                ChatMessage.Question(3, "c"),
                ChatMessage.Answer(4, "", Ending.STOPPED, figures),
                ChatMessage.Question(5, "d"),
                ChatMessage.Answer(6, "e"),
            )
        }
        withModel { model ->
            assertEquals(
                listOf("a", "b", "c", "", "d", "e"),
                model.state.value.messages
                    .map { it.text },
            )
            assertEquals(Ending.INTERRUPTED, model.answer.ending)
            val told = listOf(Role.USER to "a", Role.ASSISTANT to "b", Role.USER to "d", Role.ASSISTANT to "e")
            assertEquals(told.map { (role, text) -> Message(role, text) }, gateway.history)
            model.send("f")
            val ids =
                model.state.value.messages
                    .map { it.id }
            assertEquals(ids.distinct().sorted(), ids)
        }
    }

    @Test
    fun `a damaged file gives a new conversation and a word about it`() {
        file.writeText("{")
        withModel { model ->
            assertEquals(Notice(Problem.ConversationUnreadable), model.state.value.notice)
            assertTrue(model.send("a"))
        }
    }

    @Test
    fun `the model is told the newest that fits`() {
        val long =
            List(3) {
                listOf(ChatMessage.Question(2L * it, "q$it"), ChatMessage.Answer(2L * it + 1, "12345678"))
            }.flatten()
        for ((characters, exchanges) in listOf(9 to 0, 10 to 1, 19 to 1, 20 to 2, 30 to 3)) {
            assertEquals(exchanges * 2, long.toHistory(characters).size, "$characters characters")
        }
        assertEquals("q2", long.toHistory(10).first().content)
    }

    @Test
    fun `the oldest messages go when there are too many`() {
        val most = ConversationStore.MESSAGES_MAX
        val exchanges =
            List(
                most / 2,
            ) { listOf(ChatMessage.Question(2L * it, "q$it"), ChatMessage.Answer(2L * it + 1, "a", Ending.COMPLETE)) }
        ConversationStore(file).write { exchanges.flatten() }
        withModel { model ->
            assertEquals(
                most to "q0",
                model.state.value.messages
                    .run { size to first().text },
            )
            model.send("one more")
            assertEquals(
                most to "q1",
                model.state.value.messages
                    .run { size to first().text },
            )
        }
    }
}
