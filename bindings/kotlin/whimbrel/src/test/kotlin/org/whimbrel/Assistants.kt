package org.whimbrel

import kotlinx.coroutines.flow.Flow
import java.io.File
import java.nio.file.Files

/** Runs a test on an assistant of its own whose model of this device is the tiny one. */
internal fun withAssistant(
    policy: PolicyDocument = PolicyDocument.OfPreset(Preset.PRIVATE),
    test: suspend (Assistant, Conversation) -> Unit,
): Unit =
    withClient { client ->
        withFolder { folder ->
            val assistant = Assistant.open(AssistantOptions(folder.resolve("ledger").path, MemoryKeyVault(), policy))
            assistant.setModel(client.openModel(Models.tiny))
            try {
                test(assistant, assistant.conversation(ConversationOptions(contextLength = TEST_CONTEXT_LENGTH)))
            } finally {
                assistant.shutdown()
            }
        }
    }

internal suspend fun withFolder(test: suspend (File) -> Unit) {
    val folder = Files.createTempDirectory("whimbrel").toFile()
    try {
        test(folder)
    } finally {
        folder.deleteRecursively()
    }
}

/** A policy that lists [otherwise] and has [more] behind it. */
internal fun policy(
    otherwise: String,
    more: String = "",
): PolicyDocument = PolicyDocument.Toml("version = 1\nname = \"test\"\notherwise = [$otherwise]\n$more")

/** A system's model that does what a test wants. */
internal class FakeSystemModel(
    private val answers: (SystemRequest) -> Flow<String>,
) : SystemModel {
    override fun capabilities(): SystemCapabilities = SystemCapabilities("fake", Availability.AVAILABLE)

    override fun answer(request: SystemRequest): Flow<String> = answers(request)
}
