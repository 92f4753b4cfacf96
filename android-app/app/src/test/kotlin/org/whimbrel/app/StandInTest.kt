package org.whimbrel.app

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Test
import java.io.IOException
import java.net.InetAddress
import java.net.Socket
import java.net.SocketException
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** The stand-in alone, spoken to over a socket. */
class StandInTest {
    private fun connect(standIn: StandIn) =
        Socket(InetAddress.getByName("127.0.0.1"), standIn.port).apply { soTimeout = WAIT_MS }

    private fun request(
        body: String,
        length: Int = body.toByteArray().size,
    ) = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nContent-Length: $length\r\n\r\n$body".toByteArray()

    private fun chat(text: String) =
        """{"messages":[{"role":"system","content":"s"},{"role":"user","content":"$text"}]}"""

    @Test
    fun `one request is answered, and then nothing listens`() =
        runBlocking(Dispatchers.IO) {
            val standIn = StandIn.start()
            val received = async { standIn.serve(Dispatchers.IO) }
            connect(standIn).use { socket ->
                socket.getOutputStream().write(request(chat("Dear ⟨PERSON_1⟩")))
                val response = socket.getInputStream().readBytes().decodeToString()
                assertTrue(response.startsWith("HTTP/1.1 200 OK\r\n"), response)
                assertTrue(response.endsWith("data: [DONE]\n\n"), response)
            }
            assertEquals("Dear ⟨PERSON_1⟩", received.await())
            assertRefused(standIn)
        }

    private fun assertRefused(standIn: StandIn) {
        assertFailsWith<IOException> { connect(standIn) }
    }

    @Test
    fun `the answer names the placeholders`() {
        val cases =
            mapOf(
                "" to "Thank you for your letter. It names nobody.",
                "a ⟨b" to "Thank you for your letter. It names nobody.",
                "⟨A_1⟩ and ⟨A_1⟩" to "Thank you for your letter. I have noted ⟨A_1⟩.",
                "⟨A_1⟩⟨B_1⟩⟨A_2⟩" to "Thank you for your letter. I have noted ⟨A_1⟩, ⟨B_1⟩ and ⟨A_2⟩.",
            )
        for ((text, answer) in cases) assertEquals(answer, StandIn.answer(text))
    }

    @Test
    fun `what is no chat request is refused`() {
        val limit = StandIn.REQUEST_BYTES_MAX
        val cases =
            listOf(
                ByteArray(0),
                "\r\n\r\n".toByteArray(),
                "GET / HTTP/1.1\r\n\r\n".toByteArray(),
                ByteArray(1 shl 15) { 'a'.code.toByte() },
                request("{}"),
                request("[]"),
                request("{\"messages\":[]}"),
                request("{\"messages\":[1]}"),
                request(chat("a"), length = 1000),
                request(chat("a"), length = limit + 1),
                request(chat("a"), length = -1),
            )
        for (case in cases) {
            runBlocking(Dispatchers.IO) {
                val standIn = StandIn.start()
                val error =
                    async {
                        assertFailsWith<IOException>(case.decodeToString().take(80)) { standIn.serve(Dispatchers.IO) }
                    }
                connect(standIn).use { socket ->
                    try {
                        socket.getOutputStream().write(case)
                        socket.shutdownOutput()
                    } catch (ignored: SocketException) {
                        // It has hung up already.
                    }
                    error.await()
                }
                assertRefused(standIn)
            }
        }
    }

    @Test
    fun `cancelling closes it, while it waits and in the middle of a request`() =
        runBlocking(Dispatchers.IO) {
            for (isConnected in listOf(false, true)) {
                val standIn = StandIn.start()
                val started = CompletableDeferred<Unit>()
                val serving =
                    launch {
                        started.complete(Unit)
                        standIn.serve(Dispatchers.IO)
                    }
                started.await()
                val socket = if (isConnected) connect(standIn) else null
                socket?.getOutputStream()?.write("POST".toByteArray())
                serving.cancelAndJoin()
                assertRefused(standIn)
                socket?.close()
            }
        }

    private companion object {
        /** Long enough for a slow machine: nothing here measures time. */
        const val WAIT_MS = 60_000
    }
}
