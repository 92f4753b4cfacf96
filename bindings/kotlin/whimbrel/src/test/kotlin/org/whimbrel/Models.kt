package org.whimbrel

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import java.io.File
import java.nio.file.Files

/** The models that the tests run, as the script that starts them says. */
internal object Models {
    val tiny: String = variable("WHIMBREL_TINY_BUNDLE")
    val smollm2: String = variable("WHIMBREL_SMOLLM2_BUNDLE")

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
internal val longAnswer: GenerationOptions = GenerationOptions(maxTokens = 600, speculation = false)

internal suspend fun Flow<AnswerEvent>.wholeText(): String = text().toList().joinToString("")

internal val List<AnswerEvent>.text: String
    get() = filterIsInstance<AnswerEvent.Text>().joinToString("") { it.text }
