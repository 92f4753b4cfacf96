package org.whimbrel

import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

class ErrorTest {
    @Test
    fun `a missing bundle`() =
        withClient { client ->
            val error = assertFailsWith<WhimbrelException.BundleMissing> { client.openModel("/no/such/folder") }
            assertEquals("bundle_missing", error.code)
        }

    @Test
    fun `weights with one byte changed`() =
        withClient { client ->
            val copy = Models.copyOfTiny()
            val weights = copy.walk().single { it.name == "weights.bin" }
            val bytes = weights.readBytes()
            bytes[bytes.size / 2] = (bytes[bytes.size / 2].toInt() xor 1).toByte()
            weights.writeBytes(bytes)
            val error = assertFailsWith<WhimbrelException.BundleCorrupt> { client.openModel(copy.path) }
            assertTrue("weights.bin" in error.reason)
            copy.deleteRecursively()
        }

    @Test
    fun `a manifest with one byte changed`() =
        withClient { client ->
            val copy = Models.copyOfTiny()
            val manifest = File(copy, "manifest.json")
            manifest.writeText(manifest.readText().replaceFirst("Tiny", "Tinx"))
            assertFailsWith<WhimbrelException.BundleCorrupt> { client.openModel(copy.path) }
            copy.deleteRecursively()
        }

    @Test
    fun `a question that does not fit`() =
        withConversation(ConversationOptions(contextLength = 64)) { _, conversation ->
            val before = conversation.messages()
            val error =
                assertFailsWith<WhimbrelException.ContextFull> { conversation.ask("word ".repeat(200)).toList() }
            assertEquals(64, error.limit)
            assertTrue(error.needed > error.limit)
            assertEquals(before, conversation.messages())
        }

    @Test
    fun `options out of range`() =
        withConversation { client, conversation ->
            val model = client.openModel(Models.tiny)
            val cases =
                listOf<Pair<String, suspend () -> Unit>>(
                    "context length" to { model.conversation(ConversationOptions(contextLength = 0)) },
                    "contextLength" to { model.conversation(ConversationOptions(contextLength = -1)) },
                    "temperature" to { conversation.tryWith(GenerationOptions(temperature = -1f)) },
                    "top_p" to { conversation.tryWith(GenerationOptions(topP = 2f)) },
                    "topK" to { conversation.tryWith(GenerationOptions(topK = -1)) },
                )
            for ((option, call) in cases) {
                assertEquals(option, assertFailsWith<WhimbrelException.InvalidOption> { call() }.option)
            }
        }

    @Test
    fun `a second question before the first is answered`() =
        withConversation { _, conversation ->
            conversation.ask("a", longAnswer).first { event ->
                if (event is Event.Text) {
                    assertFailsWith<WhimbrelException.Busy> { conversation.ask("b").toList() }
                }
                event is Event.Text
            }
        }

    @Test
    fun `a question over the limit`() =
        withConversation { _, conversation ->
            val error =
                assertFailsWith<WhimbrelException.LimitExceeded> {
                    conversation.ask("a".repeat(QUESTION_BYTES_MAX + 1)).toList()
                }
            assertEquals(QUESTION_BYTES_MAX.toLong(), error.limit)
        }

    @Test
    fun `closing twice, and use afterwards`() =
        withClient { client ->
            val model = client.openModel(Models.tiny)
            val conversation = model.conversation(ConversationOptions(contextLength = TEST_CONTEXT_LENGTH))
            repeat(2) { conversation.close() }
            assertClosed("conversation") { conversation.ask("a").toList() }
            assertClosed("conversation") { conversation.setMessages(emptyList()) }
            repeat(2) { model.close() }
            assertClosed("model") { model.conversation().ask("a").toList() }
            repeat(2) { client.close() }
            repeat(2) { client.shutdown() }
            assertClosed("client") { client.openModel(Models.tiny) }
            assertEquals(0, client.activeAnswers)
        }

    @Test
    fun `closing ends an answer in the making`() =
        withConversation { client, conversation ->
            val events =
                buildList {
                    conversation.ask("a", longAnswer).collect {
                        add(it)
                        if (it is Event.Text) client.close()
                    }
                }
            assertEquals(Outcome.CANCELLED, events.report.outcome)
        }

    private suspend fun Conversation.tryWith(generation: GenerationOptions) {
        ask("a", AskOptions(generation = generation)).toList()
    }

    private suspend fun assertClosed(
        what: String,
        call: suspend () -> Unit,
    ) {
        assertEquals(what, assertFailsWith<WhimbrelException.Closed> { call() }.what)
    }

    private companion object {
        /** The core's limit on one question. */
        const val QUESTION_BYTES_MAX = 1 shl 20
    }
}
