import org.whimbrel.*

suspend fun main(arguments: Array<String>) =
    WhimbrelClient().use { client ->
        client.openModel(arguments[0]).conversation().ask("What is the capital of France?").text().collect { print(it) }
    }
