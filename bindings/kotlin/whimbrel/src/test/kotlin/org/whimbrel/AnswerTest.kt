package org.whimbrel

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.yield
import java.io.File
import java.nio.file.Files
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertTrue

class AnswerTest {
    @Test
    fun `an answer streams progress, text and figures`() =
        withConversation { _, conversation ->
            val question = "Hello ".repeat(50)
            val events = conversation.ask(question, GenerationOptions(maxTokens = 20)).toList()
            assertIs<AnswerEvent.Prefilled>(events.first())
            val statistics = assertIs<AnswerEvent.Finished>(events.last()).statistics
            assertEquals(20, statistics.completionTokens)
            assertEquals(FinishReason.LENGTH, statistics.finishReason)
            assertTrue(events.count { it is AnswerEvent.Text } > 1)
            assertEquals(
                listOf(Message(Role.USER, question), Message(Role.ASSISTANT, events.text)),
                conversation.messages().takeLast(2),
            )
        }

    @Test
    fun `a saved conversation goes on`() =
        withConversation { client, conversation ->
            val file = Files.createTempDirectory("whimbrel").resolve("conversation").toString()
            conversation.ask("Hello", GenerationOptions(maxTokens = 20)).wholeText()
            conversation.save(file)
            val expected = conversation.ask("And then?", GenerationOptions(maxTokens = 20)).wholeText()
            val options = ConversationOptions(contextLength = TEST_CONTEXT_LENGTH, system = "Be brief.")
            val other = client.openModel(Models.tiny).conversation(options)
            other.restore(file)
            val events = other.ask("And then?", GenerationOptions(maxTokens = 20)).toList()
            assertEquals(expected, events.text)
            assertTrue(assertIs<AnswerEvent.Finished>(events.last()).statistics.reusedTokens > 20)
            assertEquals(conversation.messages(), other.messages())
            File(file).writeText("nonsense")
            assertEquals("path", assertFailsWith<WhimbrelException.InvalidOption> { other.restore(file) }.option)
            assertEquals(conversation.messages(), other.messages())
        }

    @Test
    fun `guessing changes no answer`() =
        withConversation { _, conversation ->
            val plain = GenerationOptions(maxTokens = 200, speculation = false)
            val expected = conversation.ask("Hello", plain).wholeText()
            conversation.reset()
            assertEquals(expected, conversation.ask("Hello", GenerationOptions(maxTokens = 200)).wholeText())
        }

    @Test
    fun `cancelling the coroutine stops the core`() =
        withConversation { client, conversation ->
            coroutineScope {
                val begun = CompletableDeferred<Unit>()
                val reader =
                    launch {
                        conversation.ask("Hello", longAnswer).collect {
                            if (it is AnswerEvent.Text) begun.complete(Unit)
                        }
                    }
                begun.await()
                reader.cancelAndJoin()
            }
            // Waits for the cancelled answer to end.
            val cut = conversation.messages().last().content
            assertEquals(0, client.activeAnswers)
            conversation.reset()
            val whole = conversation.ask("Hello", longAnswer).wholeText()
            assertTrue(whole.startsWith(cut) && cut.length < whole.length)
        }

    @Test
    fun `leaving the flow early stops the core`() =
        withConversation { client, conversation ->
            conversation.ask("Hello", longAnswer).first { it is AnswerEvent.Text }
            assertEquals(Role.ASSISTANT, conversation.messages().last().role)
            assertEquals(0, client.activeAnswers)
        }

    @Test
    fun `a stopped answer ends with its figures`() =
        withConversation { _, conversation ->
            val events =
                conversation
                    .ask("Hello", longAnswer)
                    .onEach { if (it is AnswerEvent.Text) conversation.stop() }
                    .toList()
            val statistics = assertIs<AnswerEvent.Finished>(events.last()).statistics
            assertEquals(FinishReason.CANCELLED, statistics.finishReason)
            assertTrue(statistics.completionTokens in 1 until longAnswer.maxTokens)
            assertEquals(events.text, conversation.messages().last().content)
        }

    @Test
    fun `stopping without an answer does nothing`() =
        withConversation { _, conversation ->
            conversation.stop()
            val events = conversation.ask("Hello", GenerationOptions(maxTokens = 3)).toList()
            assertEquals(FinishReason.LENGTH, assertIs<AnswerEvent.Finished>(events.last()).statistics.finishReason)
        }

    @Test
    fun `a slow reader loses nothing`() =
        withConversation { client, conversation ->
            val slow =
                conversation
                    .ask("Hello", longAnswer)
                    .onEach { repeat(READER_YIELDS) { yield() } }
                    .toList()
            assertEquals(longAnswer.maxTokens, assertIs<AnswerEvent.Finished>(slow.last()).statistics.completionTokens)
            conversation.reset()
            assertEquals(conversation.ask("Hello", longAnswer).wholeText(), slow.text)
            assertEquals(0, client.activeAnswers)
        }

    @Test
    fun `two conversations take turns`() =
        withClient { client ->
            val model = client.openModel(Models.tiny)
            val order = mutableListOf<String>()
            coroutineScope {
                val begun = listOf(CompletableDeferred<Unit>(), CompletableDeferred<Unit>())
                begun.indices
                    .map { index ->
                        val conversation = model.conversation(ConversationOptions(contextLength = TEST_CONTEXT_LENGTH))
                        async(start = CoroutineStart.UNDISPATCHED) {
                            conversation.ask("Hello", longAnswer).collect { event ->
                                if (event is AnswerEvent.Text && begun[index].complete(Unit)) {
                                    synchronized(order) { order += "begun" }
                                    // Neither reads on before the other has something.
                                    begun.forEach { it.await() }
                                }
                                if (event is AnswerEvent.Finished) synchronized(order) { order += "ended" }
                            }
                        }
                    }.forEach { it.await() }
            }
            assertEquals(listOf("begun", "begun", "ended", "ended"), order)
        }

    @Test
    fun `a raw completion goes on from a text`() =
        withClient { client ->
            val events =
                client
                    .openModel(Models.tiny)
                    .complete("Once upon a time", GenerationOptions(maxTokens = 8), TEST_CONTEXT_LENGTH)
                    .toList()
            assertEquals(8, assertIs<AnswerEvent.Finished>(events.last()).statistics.completionTokens)
        }

    @Test
    fun `an earlier conversation goes on`() =
        withConversation { _, conversation ->
            val earlier =
                listOf(
                    Message(Role.SYSTEM, "Be brief."),
                    Message(Role.USER, "a"),
                    Message(Role.ASSISTANT, "b"),
                )
            conversation.setMessages(earlier)
            assertEquals(earlier, conversation.messages())
            conversation.ask("c", GenerationOptions(maxTokens = 2)).takeWhile { true }.toList()
            assertEquals(5, conversation.messages().size)
        }

    private companion object {
        const val READER_YIELDS = 20
    }
}
