package org.whimbrel

import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNotNull
import kotlin.test.assertTrue

class SmolLm2Test {
    @Test
    fun `SmolLM2 answers as the command line does`() =
        withClient { client ->
            val json = File(Models.variable("WHIMBREL_ANSWER")).readText()
            val expected = assertNotNull(Regex(""""text":\s*"((?:[^"\\]|\\.)*)"""").find(json)).groupValues[1]
            val conversation = client.openModel(Models.smollm2).conversation()
            val options = atMost(Models.variable("WHIMBREL_MAX_TOKENS").toInt())
            val answer = conversation.ask(Models.variable("WHIMBREL_QUESTION"), options).wholeText()
            assertEquals(expected, escaped(answer))
            assertTrue(answer.isNotEmpty())
        }

    /** As serde_json writes it. */
    private fun escaped(text: String): String =
        buildString {
            for (char in text) {
                when {
                    char == '"' || char == '\\' -> append('\\').append(char)
                    char == '\n' -> append("\\n")
                    char == '\t' -> append("\\t")
                    char == '\r' -> append("\\r")
                    char < ' ' -> append("\\u%04x".format(char.code))
                    else -> append(char)
                }
            }
        }
}
