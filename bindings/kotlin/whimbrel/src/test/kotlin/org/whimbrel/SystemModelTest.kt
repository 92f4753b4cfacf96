package org.whimbrel

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.flow.onCompletion
import kotlinx.coroutines.flow.toList
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertTrue

class SystemModelTest {
    private val systemFirst = policy("\"system_model\", \"on_device\"")

    @Test
    fun `the system's model answers`() =
        withAssistant(systemFirst) { assistant, conversation ->
            assistant.setSystemModel(
                FakeSystemModel { request -> flowOf("You said: ", request.messages.last().content) },
            )
            assistant.prewarmSystemModel()
            val events = conversation.ask("Hello", shortAnswer).toList()
            assertEquals("You said: Hello", events.text)
            assertEquals(Place.SystemModel("fake"), events.report.place)
            assertEquals(events.report.place, assistant.receipt(events.report.written).place)
            assertEquals(mapOf(PlaceKind.SYSTEM_MODEL to 1L), assistant.stats().answers)
            assistant.setSystemModel(null)
            assertIs<Place.OnDevice>(
                conversation
                    .ask("Hello", shortAnswer)
                    .toList()
                    .report.place,
            )
        }

    @Test
    fun `what fails at once is followed by this device`() {
        for (failure in SystemFailure.entries) {
            checkFallback(restarts = false) { flow { throw SystemModelException(failure) } }
        }
        checkFallback(restarts = false) { throw SystemModelException(SystemFailure.QUOTA_EXCEEDED) }
        checkFallback(restarts = false) { error("SECRET") }
    }

    @Test
    fun `what dies midway is begun anew on this device`() {
        checkFallback(restarts = true) {
            flow {
                emit("half an ans")
                throw SystemModelException(SystemFailure.OUT_OF_MEMORY)
            }
        }
        checkFallback(restarts = true) {
            flow {
                emit("half an ans")
                error("SECRET")
            }
        }
    }

    private fun checkFallback(
        restarts: Boolean,
        answers: (SystemRequest) -> Flow<String>,
    ) = withAssistant(systemFirst) { assistant, conversation ->
        assistant.setSystemModel(FakeSystemModel(answers))
        val events = conversation.ask("Hello", shortAnswer).toList()
        assertEquals(restarts, Event.Restarted in events)
        assertEquals(Outcome.ANSWERED, events.report.outcome)
        assertEquals(listOf("system_model", "on_device"), events.report.attempts.map { it.substringBefore(':') })
        assertFalse("half" in conversation.messages().last().content)
        assertFalse("SECRET" in assistant.receipt(events.report.written).json)
    }

    @Test
    fun `a cancelled answer cancels the flow`() =
        withAssistant(systemFirst) { assistant, conversation ->
            val ended = CompletableDeferred<Throwable?>()
            assistant.setSystemModel(
                FakeSystemModel {
                    flow {
                        emit("one")
                        awaitCancellation()
                    }.onCompletion { ended.complete(it) }
                },
            )
            conversation.ask("Hello", shortAnswer).first { it is Event.Text }
            assertIs<CancellationException>(ended.await())
            assertTrue(assistant.verifyLedger().isIntact)
        }
}
