package org.whimbrel

import com.sun.net.httpserver.HttpServer
import kotlinx.coroutines.flow.toList
import java.io.File
import java.net.InetAddress
import java.net.InetSocketAddress
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors

// What the tests of kept conversations and of their other process share.

/** A chat service on loopback. It answers every request with [answer], or stops after the first piece if it [stalls]. */
internal class ChatServer(
    private val answer: String,
    private val stalls: Boolean = false,
) : AutoCloseable {
    private val ended = CountDownLatch(1)
    private val threads = Executors.newCachedThreadPool()
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0)

    /** The bodies of the requests. */
    val requests: MutableList<String> = CopyOnWriteArrayList()

    val url: String
        get() = "http://127.0.0.1:${server.address.port}/v1"

    init {
        server.executor = threads
        server.createContext("/v1/chat/completions") { exchange ->
            requests.add(exchange.requestBody.readBytes().decodeToString())
            exchange.responseHeaders.add("Content-Type", "text/event-stream")
            exchange.sendResponseHeaders(HTTP_OK, 0)
            exchange.responseBody.use { body ->
                for (piece in answer.split(" ")) {
                    body.write(event("""{"index":0,"delta":{"content":"$piece "}}"""))
                    body.flush()
                    if (stalls) ended.await()
                }
                body.write(event("""{"index":0,"delta":{},"finish_reason":"stop"}"""))
                body.write("data: [DONE]\n\n".toByteArray())
            }
        }
        server.start()
    }

    override fun close() {
        ended.countDown()
        server.stop(0)
        threads.shutdownNow()
    }

    private fun event(choice: String) = "data: {\"choices\":[$choice]}\n\n".toByteArray()

    private companion object {
        const val HTTP_OK = 200
    }
}

/** A vault that another process can open again. */
internal class FolderVault(
    val path: File,
) : KeyVault {
    /** What every call fails with. */
    @Volatile var failure: KeyVaultException? = null

    override val level: VaultLevel = VaultLevel.FILE

    override fun get(name: String): ByteArray? {
        failure?.let { throw it }
        return File(path, name).takeIf { it.exists() }?.readBytes()
    }

    override fun put(
        name: String,
        secret: ByteArray,
    ) {
        failure?.let { throw it }
        path.mkdirs()
        File(path, name).writeBytes(secret)
    }

    override fun delete(name: String) {
        File(path, name).delete()
    }
}

/** A phone with its data: the app can be started on it again and again. */
internal class Phone(
    val folder: File,
    val url: String = "http://127.0.0.1:9/v1",
    private val otherwise: String = "\"remote:house\", \"queue\"",
) {
    val vault: FolderVault = FolderVault(folder.resolve("vault"))
    val store: String = folder.resolve("store").path

    val options: AssistantOptions
        get() = AssistantOptions(store, vault, policy(otherwise, endpoint))

    private val endpoint: String
        get() =
            """
            [[endpoints]]
            id = "house"
            base_url = "$url"
            model = "m"
            trust = "organisation"
            cost_per_1k_tokens = 0
            class_max = "personal"
            class_max_redacted = "secret"
            """.trimIndent()

    suspend fun start(network: Network): Assistant =
        Assistant.open(options).apply { updateDevice(DeviceUpdate(network = network)) }

    /** Whether a text is in a file of the app. */
    fun has(text: String): Boolean =
        folder.walk().filter { it.isFile }.any { text in it.readBytes().toString(Charsets.ISO_8859_1) }
}

/** Asks a question, and waits for the end. */
internal suspend fun Conversation.reportOf(question: String): Report = ask(question).toList().report

/** What the name of the secret with the data keys is. */
internal const val DATA_KEYS: String = "whimbrel.data-keys"
