package org.whimbrel.app

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import java.io.BufferedInputStream
import java.io.Closeable
import java.io.DataInputStream
import java.io.IOException
import java.io.InputStream
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.net.SocketException

/**
 * A stand-in for a cloud service on this phone. It takes one chat request on loopback, keeps what it was sent, and
 * answers with sentences written beforehand around the placeholders that it got. It is no model.
 */
class StandIn private constructor(
    private val server: ServerSocket,
) : Closeable {
    private var connection: Socket? = null

    val port: Int
        get() = server.localPort

    /**
     * Answers one request and returns the text that it was sent. Afterwards, and as soon as it is cancelled, nothing
     * listens any more.
     *
     * @throws IOException when nobody asks in time, or what comes is no request.
     */
    suspend fun serve(io: CoroutineDispatcher): String =
        coroutineScope {
            // A socket does not notice a cancelled coroutine.
            val closing =
                launch(start = CoroutineStart.UNDISPATCHED) {
                    try {
                        awaitCancellation()
                    } finally {
                        close()
                    }
                }
            try {
                withContext(io) { serveOne() }
            } catch (error: IOException) {
                // A socket that was closed because the caller left is no error.
                ensureActive()
                throw error
            } finally {
                closing.cancel()
            }
        }

    @Synchronized
    override fun close() {
        server.close()
        connection?.close()
    }

    private fun serveOne(): String =
        accept().use { connection ->
            val text = connection.readText()
            connection.getOutputStream().run {
                write(response(answer(text)))
                flush()
            }
            text
        }

    private fun accept(): Socket {
        val accepted = server.accept()
        synchronized(this) {
            connection = accepted
            if (server.isClosed) accepted.close()
        }
        if (accepted.isClosed) throw SocketException("closed")
        accepted.soTimeout = READ_MS_MAX
        return accepted
    }

    companion object {
        private const val ACCEPT_MS_MAX = 30_000
        private const val READ_MS_MAX = 10_000
        private const val HEAD_BYTES_MAX = 1 shl 14

        /** The longest request that is read. */
        const val REQUEST_BYTES_MAX: Int = 1 shl 20

        /**
         * Listens on a free port of loopback.
         *
         * @throws IOException when the system does not let it.
         */
        fun start(): StandIn {
            val server =
                try {
                    ServerSocket(0, 1, InetAddress.getByAddress(byteArrayOf(127, 0, 0, 1)))
                } catch (error: SecurityException) {
                    throw IOException(error)
                }
            server.soTimeout = ACCEPT_MS_MAX
            return StandIn(server)
        }

        private fun Socket.readText(): String {
            val input = DataInputStream(BufferedInputStream(getInputStream()))
            val length =
                head(input)
                    .lines()
                    .firstOrNull { it.startsWith("content-length:", ignoreCase = true) }
                    ?.substringAfter(':')
                    ?.trim()
                    ?.toIntOrNull()
            if (length == null || length !in 0..REQUEST_BYTES_MAX) throw IOException("a request without a fit length")
            return lastMessage(ByteArray(length).also(input::readFully).decodeToString())
        }

        /** The request up to the empty line. */
        private fun head(input: InputStream): String {
            val head = StringBuilder()
            while (!head.endsWith(EMPTY_LINE)) {
                val byte = input.read()
                if (byte < 0 || head.length == HEAD_BYTES_MAX) throw IOException("a request without an end of its head")
                head.append(byte.toChar())
            }
            return head.toString()
        }

        private fun lastMessage(body: String): String =
            try {
                val messages = JSONObject(body).getJSONArray("messages")
                messages.getJSONObject(messages.length() - 1).getString("content")
            } catch (error: JSONException) {
                throw IOException("no chat request", error)
            }

        /** A reply that names what it was sent in place of names and numbers. */
        internal fun answer(text: String): String {
            val marks = PLACEHOLDER.findAll(text).mapTo(LinkedHashSet()) { it.value }.toList()
            val noted =
                when (marks.size) {
                    0 -> return "Thank you for your letter. It names nobody."
                    1 -> marks.single()
                    else -> "${marks.dropLast(1).joinToString()} and ${marks.last()}"
                }
            return "Thank you for your letter. I have noted $noted."
        }

        /** A stream of events, in pieces as a model would write them. */
        private fun response(answer: String): ByteArray {
            val pieces = answer.split(Regex("(?<= )")).map { JSONObject().put("content", it) }
            val choices =
                pieces.map { JSONObject().put("index", 0).put("delta", it) } +
                    JSONObject().put("index", 0).put("delta", JSONObject()).put("finish_reason", "stop")
            val events = choices.map { JSONObject().put("choices", JSONArray().put(it)).toString() } + "[DONE]"
            val body = events.joinToString("") { "data: $it\n\n" }.toByteArray()
            val head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${body.size}\r\n" +
                    "connection: close$EMPTY_LINE"
            return head.toByteArray() + body
        }

        private const val EMPTY_LINE = "\r\n\r\n"
        private val PLACEHOLDER = Regex("⟨[^⟩]*⟩")
    }
}
