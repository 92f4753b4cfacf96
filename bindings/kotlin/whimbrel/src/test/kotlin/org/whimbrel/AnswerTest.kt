package org.whimbrel

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.yield
import java.io.File
import java.nio.file.Files
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue

class AnswerTest {
    @Test
    fun `an answer streams progress, text and figures`() =
        withConversation { _, conversation ->
            val question = "Hello ".repeat(50)
            val events = conversation.ask(question, atMost(20)).toList()
            assertIs<Place.OnDevice>(assertIs<Event.Started>(events.first()).place)
            assertIs<Event.Reading>(events[1])
            assertEquals(20, events.statistics.completionTokens)
            assertEquals(FinishReason.LENGTH, events.report.finish)
            assertEquals(Outcome.ANSWERED, events.report.outcome)
            assertNull(events.report.receipt)
            assertTrue(events.count { it is Event.Text } > 1)
            assertEquals(
                listOf(Role.USER to question, Role.ASSISTANT to events.text),
                conversation.said(),
            )
        }

    @Test
    fun `thoughts are events of their own and no part of the conversation`() =
        withClient { client ->
            val model = client.openModel(Models.thinking)
            assertTrue(model.info.canThink)
            val conversation = model.conversation(ConversationOptions(contextLength = TEST_CONTEXT_LENGTH))
            for (thinking in listOf(null, true, false)) {
                val options = AskOptions(generation = GenerationOptions(thinking = thinking))
                val events = conversation.ask("Where does it go?", options).toList()
                assertEquals(if (thinking == false) "" else "Bird?", events.thoughts)
                assertEquals("south.", events.text.trim())
                assertEquals(events.thoughts.length.toLong(), events.report.thinkingBytes)
                assertEquals(Role.ASSISTANT to events.text, conversation.said().last())
                assertTrue(events.dropWhile { it !is Event.Text }.none { it is Event.Thinking })
            }
            assertEquals(6, conversation.said().size)
            assertTrue(conversation.said().none { "Bird" in it.second || "think" in it.second })
        }

    @Test
    fun `a model that cannot think refuses to be told to`() =
        withConversation { client, conversation ->
            assertEquals(false, client.openModel(Models.tiny).info.canThink)
            val on = AskOptions(generation = GenerationOptions(thinking = true))
            val error = assertFailsWith<WhimbrelException.InvalidOption> { conversation.ask("Hello", on).toList() }
            assertEquals("thinking", error.option)
            val off = AskOptions(generation = GenerationOptions(maxTokens = 8, thinking = false))
            assertTrue(conversation.ask("Hello", off).wholeText().isNotEmpty())
        }

    @Test
    fun `an answer has its form`() =
        withConversation { _, conversation ->
            suspend fun answer(form: Form) = conversation.ask("Hello", inForm(form)).toList()
            assertTrue(answer(Form.Choice(listOf("yes", "no"))).text in listOf("yes", "no"))
            val json = answer(Form.JsonSchema(AGE_SCHEMA))
            assertTrue(json.text.matches(Regex("""\{"age": \d{1,3}\}""")), json.text)
            assertTrue(json.statistics.forcedTokens > 0)
            assertTrue(answer(Form.Regex("[0-9]{4}")).text.matches(Regex("[0-9]{4}")))
            val grammar = Form.Grammar("""start: "turn " ("on" | "off")""")
            assertTrue(answer(grammar).text in listOf("turn on", "turn off"))
        }

    @Test
    fun `an answer without its form is a failure, and a form that cannot be held is refused`() =
        withConversation { _, conversation ->
            val cut = conversation.ask("Hello", inForm(Form.Regex("[a-z]{200}"), maxTokens = 3)).toList().report
            assertEquals(Outcome.FAILED to "not_in_form", cut.outcome to cut.code)
            val error =
                assertFailsWith<WhimbrelException.InvalidOption> {
                    conversation.ask("Hello", inForm(Form.JsonSchema("""{"not": {"type": "null"}}"""))).toList()
                }
            assertEquals("form", error.option)
            assertTrue("not" in error.found, error.found)
        }

    @Test
    fun `a ready task answers in its form`() =
        withClient { client ->
            val model = client.openModel(Models.tiny)
            assertTrue(model.task(Tasks.tone, "Nice!").toList().text in listOf("positive", "negative"))
            val sort = Tasks.category(listOf("delivery", "billing"))
            assertTrue(model.task(sort, "It is late.").toList().text in listOf("delivery", "billing"))
            val filled = model.task(Tasks.fill(AGE_SCHEMA), "I am three.").toList()
            assertTrue(filled.text.matches(Regex("""\{"age": \d{1,3}\}""")), filled.text)
            assertEquals(8, Tasks.all.size)
            assertEquals("title" to TaskNeeds.NOTHING, Tasks.title.info.name to Tasks.title.info.needs)

            val own = TextTask.read(MOOD)
            assertEquals("mood" to listOf("en"), own.info.name to own.info.languages)
            assertTrue(model.task(own, "I won!").toList().text in listOf("happy", "sad"))

            fun refused(call: () -> Unit) = assertFailsWith<WhimbrelException.InvalidOption> { call() }.option
            assertEquals("document", refused { TextTask.read(MOOD.replace("{text}", "text")) })
            assertEquals("form", refused { Tasks.tone.withForm(Form.Choice(listOf("a"))) })
            assertEquals("form", refused { Tasks.category(emptyList()) })
            val long = assertFailsWith<WhimbrelException.LimitExceeded> { model.task(own, "a".repeat(101)).toList() }
            assertEquals(100L, long.limit)
        }

    private fun inForm(
        form: Form,
        maxTokens: Int = 64,
    ) = AskOptions(generation = GenerationOptions(maxTokens = maxTokens, form = form))

    @Test
    fun `a saved conversation goes on`() =
        withConversation { client, conversation ->
            val file = Files.createTempDirectory("whimbrel").resolve("conversation").toString()
            conversation.ask("Hello", atMost(20)).wholeText()
            conversation.save(file)
            val expected = conversation.ask("And then?", atMost(20)).wholeText()
            val options = ConversationOptions(contextLength = TEST_CONTEXT_LENGTH)
            val other = client.openModel(Models.tiny).conversation(options)
            other.restore(file)
            val events = other.ask("And then?", atMost(20)).toList()
            assertEquals(expected, events.text)
            assertTrue(events.statistics.reusedTokens > 20)
            assertEquals(conversation.messages(), other.messages())
            File(file).writeText("nonsense")
            assertEquals("path", assertFailsWith<WhimbrelException.InvalidOption> { other.restore(file) }.option)
            assertEquals(conversation.messages(), other.messages())
        }

    @Test
    fun `guessing changes no answer`() =
        withConversation { _, conversation ->
            val plain = atMost(200, speculation = false)
            val expected = conversation.ask("Hello", plain).wholeText()
            conversation.reset()
            assertEquals(expected, conversation.ask("Hello", atMost(200)).wholeText())
        }

    @Test
    fun `cancelling the coroutine stops the core`() =
        withConversation { client, conversation ->
            coroutineScope {
                val begun = CompletableDeferred<Unit>()
                val reader =
                    launch {
                        conversation.ask("Hello", longAnswer).collect {
                            if (it is Event.Text) begun.complete(Unit)
                        }
                    }
                begun.await()
                reader.cancelAndJoin()
            }
            val cut = conversation.lastMessage().content
            assertEquals(0, client.activeAnswers)
            conversation.reset()
            val whole = conversation.ask("Hello", longAnswer).wholeText()
            assertTrue(whole.startsWith(cut) && cut.length < whole.length)
        }

    @Test
    fun `leaving the flow early stops the core`() =
        withConversation { client, conversation ->
            conversation.ask("Hello", longAnswer).first { it is Event.Text }
            assertEquals(Role.ASSISTANT, conversation.lastMessage().role)
            assertEquals(0, client.activeAnswers)
        }

    /** The last message, once a cancelled answer has ended. */
    private suspend fun Conversation.lastMessage(): Message {
        while (messages().isEmpty()) yield()
        return messages().last()
    }

    @Test
    fun `a stopped answer ends with its figures`() =
        withConversation { _, conversation ->
            val events =
                conversation
                    .ask("Hello", longAnswer)
                    .onEach { if (it is Event.Text) conversation.stop() }
                    .toList()
            assertEquals(Outcome.CANCELLED, events.report.outcome)
            assertTrue(events.statistics.completionTokens in 1 until longAnswer.generation.maxTokens)
            assertEquals(events.text, conversation.messages().last().content)
        }

    @Test
    fun `stopping without an answer does nothing`() =
        withConversation { _, conversation ->
            conversation.stop()
            val events = conversation.ask("Hello", atMost(3)).toList()
            assertEquals(FinishReason.LENGTH, events.report.finish)
        }

    @Test
    fun `a slow reader loses nothing`() =
        withConversation { client, conversation ->
            val slow =
                conversation
                    .ask("Hello", longAnswer)
                    .onEach { repeat(READER_YIELDS) { yield() } }
                    .toList()
            assertEquals(longAnswer.generation.maxTokens, slow.statistics.completionTokens)
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
                                if (event is Event.Text && begun[index].complete(Unit)) {
                                    synchronized(order) { order += "begun" }
                                    // Neither reads on before the other has something.
                                    begun.forEach { it.await() }
                                }
                                if (event is Event.Finished) synchronized(order) { order += "ended" }
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
            assertEquals(8, events.statistics.completionTokens)
        }

    @Test
    fun `an earlier conversation goes on`() =
        withConversation { _, conversation ->
            val revision = conversation.revision
            val earlier = listOf(Message(Role.USER, "a"), Message(Role.ASSISTANT, "b"))
            conversation.setMessages(earlier)
            assertEquals(listOf(Role.USER to "a", Role.ASSISTANT to "b"), conversation.said())
            assertTrue(conversation.revision > revision)
            conversation.ask("c", atMost(2)).toList()
            val messages = conversation.messages()
            assertEquals(4, messages.size)
            conversation.setMessages(messages)
            assertEquals(messages, conversation.messages())
        }

    @Test
    fun `a new answer takes the place of the old one`() =
        withConversation { _, conversation ->
            assertFailsWith<WhimbrelException.NothingToRepeat> { conversation.regenerate().toList() }
            conversation.ask("Hello", atMost(20)).toList()
            val events = conversation.regenerate(GenerationOptions(maxTokens = 5)).toList()
            assertEquals(5, events.statistics.completionTokens)
            assertEquals(listOf(Role.USER to "Hello", Role.ASSISTANT to events.text), conversation.said())
            assertFailsWith<WhimbrelException.NoPolicy> { conversation.explain("Hello") }
        }

    @Test
    fun `the text so far grows to the whole text`() =
        withConversation { _, conversation ->
            val texts = conversation.ask("Hello", atMost(20)).textSoFar().toList()
            assertTrue(texts.zipWithNext().all { (before, after) -> after.startsWith(before) && after != before })
            assertEquals(conversation.messages().last().content, texts.last())
        }

    @Test
    fun `a beginning that was read is taken over`() =
        withConversation { client, conversation ->
            withFolder { folder ->
                val file = folder.resolve("prefix").path
                conversation.ask("Hello ".repeat(50), atMost(2)).toList()
                conversation.savePrefix(file, PREFIX_TOKENS)
                val options = ConversationOptions(contextLength = TEST_CONTEXT_LENGTH)
                val other = client.openModel(Models.tiny).conversation(options)
                other.restorePrefix(file)
                assertEquals(emptyList(), other.messages())
                val events = other.ask("Hello ".repeat(50), atMost(2)).toList()
                assertTrue(events.statistics.reusedTokens >= PREFIX_TOKENS)
            }
        }

    @Test
    fun `a question after a cancelled answer is never refused`() =
        withConversation { client, conversation ->
            repeat(CANCELLATIONS) { round ->
                conversation.ask("Hello", longAnswer).first { if (round % 2 == 0) it is Event.Text else true }
                if (round % RESET_EVERY == 0) conversation.reset()
            }
            assertEquals(
                Outcome.ANSWERED,
                conversation
                    .ask("Hello", atMost(2))
                    .toList()
                    .report.outcome,
            )
            assertEquals(0, client.activeAnswers)
        }

    private companion object {
        const val READER_YIELDS = 20
        const val PREFIX_TOKENS = 16
        const val CANCELLATIONS = 1000
        const val AGE_SCHEMA =
            """{"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 120}},
                "required": ["age"], "additionalProperties": false}"""

        const val MOOD =
            """{"version": 1, "name": "mood", "description": "Says how somebody feels.", "languages": ["en"],
                "system": "You say how people feel.", "prompt": "Text: {text}\\nMood:",
                "examples": [{"text": "I won the race!", "answer": "happy"}], "form": {"choice": ["happy", "sad"]},
                "max_tokens": 4, "text_bytes_max": 100}"""

        /** Keeps the history short, and the test quick. */
        const val RESET_EVERY = 4
    }
}
