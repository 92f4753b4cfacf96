package org.whimbrel

import com.sun.net.httpserver.HttpServer
import kotlinx.coroutines.flow.toList
import java.net.InetAddress
import java.net.InetSocketAddress
import java.util.Collections
import java.util.zip.GZIPInputStream
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.seconds

class TelemetryTest {
    /** What a collector on this machine got: addresses and messages. */
    private val received = Collections.synchronizedList(mutableListOf<Pair<String, ByteArray>>())

    private fun withCollector(test: (String) -> Unit) {
        val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0)
        server.createContext("/") { exchange ->
            received.add(exchange.requestURI.path to GZIPInputStream(exchange.requestBody).readAllBytes())
            exchange.sendResponseHeaders(200, -1)
            exchange.close()
        }
        server.start()
        try {
            test("http://127.0.0.1:${server.address.port}")
        } finally {
            server.stop(0)
        }
    }

    @Test
    fun `nothing is sent without consent, and no text with it`() =
        withCollector { url ->
            val section = "[telemetry]\nurl = \"$url\"\nservice = \"notes\"\ntrust = \"organisation\""
            withAssistant(policy("\"on_device\"", section)) { assistant, conversation ->
                assistant.updateDevice(DeviceUpdate(network = Network.UNMETERED))
                val telemetry = assistant.telemetry()
                assertEquals(url, telemetry.status().target?.url)
                assertEquals("no_consent", telemetry.run().because)
                telemetry.allow(TelemetrySignals(metrics = true, traces = true))
                conversation.ask("Quetzalcoatl?", shortAnswer).toList()
                val sent = telemetry.run(within = 10.seconds)
                assertNull(sent.because)
                assertTrue(sent.metrics && sent.requests == 1L && sent.bytesOut > 0)
                assertEquals(listOf("/v1/metrics", "/v1/traces"), received.map { it.first })
                for ((_, message) in received) {
                    val text = String(message, Charsets.ISO_8859_1)
                    assertTrue("notes" in text)
                    assertFalse("Quetzalcoatl" in text)
                }
                assertEquals(sent.bytesOut, telemetry.status().bytesToday)
                telemetry.withdraw()
                assertNull(telemetry.status().consent)
                conversation.ask("Again?", shortAnswer).toList()
                assertEquals("no_consent", telemetry.run(within = 10.seconds).because)
                assertEquals(2, received.size)
            }
        }

    @Test
    fun `a policy must say where it goes`() =
        withAssistant { assistant, _ ->
            assertFailsWith<WhimbrelException.NoTelemetry> {
                assistant.telemetry().allow(TelemetrySignals(metrics = true, traces = true))
            }
            assertNull(assistant.telemetry().status().target)
        }
}
