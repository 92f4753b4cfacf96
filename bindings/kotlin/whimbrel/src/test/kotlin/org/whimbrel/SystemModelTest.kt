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
import org.whimbrel.ffi.Accelerator as CoreAccelerator
import org.whimbrel.ffi.Availability as CoreAvailability
import org.whimbrel.ffi.Decision as CoreDecision
import org.whimbrel.ffi.DeviceFact as CoreDeviceFact
import org.whimbrel.ffi.Host as CoreHost
import org.whimbrel.ffi.LearningMode as CoreLearningMode
import org.whimbrel.ffi.Need as CoreNeed
import org.whimbrel.ffi.Network as CoreNetwork
import org.whimbrel.ffi.Outcome as CoreOutcome
import org.whimbrel.ffi.PlaceKind as CorePlaceKind
import org.whimbrel.ffi.Preset as CorePreset
import org.whimbrel.ffi.PrivacyClass as CorePrivacyClass
import org.whimbrel.ffi.Sent as CoreSent
import org.whimbrel.ffi.SystemFailure as CoreSystemFailure
import org.whimbrel.ffi.Thermal as CoreThermal
import org.whimbrel.ffi.TokenLimitField as CoreTokenLimitField
import org.whimbrel.ffi.TrustClass as CoreTrustClass
import org.whimbrel.ffi.VaultLevel as CoreVaultLevel

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
            assertEquals("You said: Hello", events.wholeText)
            assertEquals(Place.SystemModel("fake"), events.report.place)
            assertEquals(events.report.place, assistant.receipt(events.report.receipt).place)
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
        assertEquals(restarts, AssistantEvent.Restarted in events)
        assertEquals(Outcome.ANSWERED, events.report.outcome)
        assertEquals(listOf("system_model", "on_device"), events.report.tried.map { it.substringBefore(':') })
        assertFalse("half" in conversation.messages().last().content)
        assertFalse("SECRET" in assistant.receipt(events.report.receipt).json)
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
            conversation.ask("Hello", shortAnswer).first { it is AssistantEvent.Text }
            assertIs<CancellationException>(ended.await())
            assertTrue(assistant.verifyLedger().isIntact)
        }

    @Test
    fun `enums have the core's names`() {
        val pairs =
            listOf(
                Accelerator.entries to CoreAccelerator.entries,
                Availability.entries to CoreAvailability.entries,
                Decision.entries to CoreDecision.entries,
                DeviceFact.entries to CoreDeviceFact.entries,
                Host.entries to CoreHost.entries,
                LearningMode.entries to CoreLearningMode.entries,
                Need.entries to CoreNeed.entries,
                Network.entries to CoreNetwork.entries,
                Outcome.entries to CoreOutcome.entries,
                PlaceKind.entries to CorePlaceKind.entries,
                Preset.entries to CorePreset.entries,
                PrivacyClass.entries to CorePrivacyClass.entries,
                Sent.entries to CoreSent.entries,
                SystemFailure.entries to CoreSystemFailure.entries,
                Thermal.entries to CoreThermal.entries,
                TokenLimitField.entries to CoreTokenLimitField.entries,
                TrustClass.entries to CoreTrustClass.entries,
                VaultLevel.entries to CoreVaultLevel.entries,
            )
        for ((ours, core) in pairs) assertEquals(core.map { it.name }, ours.map { it.name })
    }
}
