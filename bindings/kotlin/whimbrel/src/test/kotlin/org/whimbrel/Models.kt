package org.whimbrel

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import java.io.File
import java.nio.file.Files
import kotlin.test.assertIs
import kotlin.test.assertNotNull

/** The models that the tests run, as the script that starts them says. */
internal object Models {
    val tiny: String = variable("WHIMBREL_TINY_BUNDLE")
    val smollm2: String = variable("WHIMBREL_SMOLLM2_BUNDLE")
    val thinking: String = variable("WHIMBREL_THINKING_BUNDLE")

    fun variable(name: String): String = System.getenv(name) ?: error("$name is not set: run scripts/kotlin-test.sh")

    /** A copy of the tiny bundle to be damaged. */
    fun copyOfTiny(): File {
        val copy = Files.createTempDirectory("whimbrel").toFile()
        File(tiny).copyRecursively(copy)
        return copy
    }
}

/** Runs a test on a client of its own and sees to it that the client ends. */
internal fun withClient(test: suspend (WhimbrelClient) -> Unit): Unit =
    runBlocking {
        val client = WhimbrelClient()
        try {
            test(client)
        } finally {
            client.shutdown()
        }
    }

internal fun withConversation(
    options: ConversationOptions = ConversationOptions(contextLength = TEST_CONTEXT_LENGTH),
    test: suspend (WhimbrelClient, Conversation) -> Unit,
): Unit = withClient { client -> test(client, client.openModel(Models.tiny).conversation(options)) }

internal const val TEST_CONTEXT_LENGTH: Int = 768

/** More events than wait for a reader in the core and in a flow: such an answer cannot end before it is read. */
internal val longAnswer: AskOptions = atMost(600, speculation = false)

internal val shortAnswer: AskOptions = atMost(8)

internal fun atMost(
    tokens: Int,
    speculation: Boolean = true,
): AskOptions =
    AskOptions(
        generation =
            GenerationOptions(
                maxTokens = tokens,
                speculation = speculation,
                // The tiny model repeats itself.
                repetitionGuard = false,
            ),
    )

internal suspend fun Flow<Event>.wholeText(): String = text().toList().joinToString("")

internal val List<Event>.text: String
    get() = filterIsInstance<Event.Text>().joinToString("") { it.text }

internal val List<Event>.thoughts: String
    get() = filterIsInstance<Event.Thinking>().joinToString("") { it.text }

internal val List<Event>.report: Report
    get() = assertIs<Event.Finished>(last()).report

/** The number of the receipt. */
internal val Report.written: Long
    get() = assertNotNull(receipt)

/** The figures of Whimbrel's own engine, at the end of an answer. */
internal val List<Event>.statistics: Statistics
    get() = assertNotNull(report.statistics)

/** What was said, without what is known of its privacy. */
internal fun Conversation.said(): List<Pair<Role, String>> = messages().map { it.role to it.content }
