package org.whimbrel

import kotlinx.coroutines.flow.toList
import java.util.concurrent.ConcurrentLinkedQueue
import kotlin.test.Test
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue

class LogTest {
    @Test
    fun `at the highest level nothing that was said is logged`() {
        val messages = ConcurrentLinkedQueue<String>()
        WhimbrelLog.setSink { level, module, message -> messages += "$level $module $message" }
        WhimbrelLog.setLevel(LogLevel.TRACE)
        try {
            withConversation(
                ConversationOptions(contextLength = 128, system = "SECRET-system"),
            ) { _, conversation ->
                val answer = conversation.ask("SECRET-question", atMost(40)).toList().text
                assertFailsWith<WhimbrelException.ContextFull> {
                    conversation.ask("SECRET-question ".repeat(100)).toList()
                }
                val log = messages.joinToString("\n")
                assertTrue("opened a model" in log && "answered" in log, log)
                assertFalse("SECRET" in log, log)
                assertFalse(answer in log, log)
            }
        } finally {
            WhimbrelLog.setLevel(LogLevel.WARN)
            WhimbrelLog.setSink(null)
        }
    }

    @Test
    fun `a sink that fails does no harm`() {
        WhimbrelLog.setSink { _, _, _ -> error("the sink failed") }
        WhimbrelLog.setLevel(LogLevel.DEBUG)
        try {
            withConversation { _, conversation ->
                conversation.ask("a", atMost(2)).toList()
            }
        } finally {
            WhimbrelLog.setLevel(LogLevel.WARN)
            WhimbrelLog.setSink(null)
        }
    }
}
