import kotlinx.coroutines.flow.last
import org.whimbrel.*
import java.nio.file.Files

suspend fun main(arguments: Array<String>) {
    val store = Files.createTempDirectory("kept").resolve("store").toString()
    val policy = PolicyDocument.Toml("version = 1\nname = \"app\"\notherwise = [\"on_device\", \"queue\"]")
    val assistant = Assistant.open(AssistantOptions(store, MemoryKeyVault(), policy))

    // There is no model yet, so the question waits on the disk.
    val conversation = assistant.conversations.create()
    val end = conversation.ask("What is the capital of France?").last() as Event.Finished
    println("queued with number ${end.report.queued}")

    // Later, also in another process: whatever can be sent now is sent.
    WhimbrelClient().use { client ->
        assistant.setModel(client.openModel(arguments[0]))
        println("answered: ${assistant.outbox.runDue().answered}")
        for (hit in assistant.conversations.search("paris")) println(hit.text)
        for (listed in assistant.conversations.list()) println("${listed.title} (${listed.messages} messages)")
        assistant.shutdown()
    }
}
