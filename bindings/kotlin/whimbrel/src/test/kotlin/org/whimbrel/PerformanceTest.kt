package org.whimbrel

import kotlinx.coroutines.flow.toList
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue

class PerformanceTest {
    @Test
    fun `what requests took is counted, shown and forgotten`() =
        withAssistant { assistant, conversation ->
            assistant.updateDevice(
                DeviceUpdate(memoryTotalBytes = 6_000_000_000, batteryMilliwatts = 2_000, thermal = Thermal.FAIR),
            )
            val report = conversation.ask("A secret question?", shortAnswer).toList().report
            val performance = assistant.performance()
            assertEquals(1, performance.outcomes.answered)
            val series = performance.series.single()
            assertEquals(PlaceKind.ON_DEVICE to DeviceClass.MEDIUM, series.place to series.device)
            val tokens = series.measures.single { it.measure == Measure.OUTPUT_TOKENS }
            assertEquals(report.tokensOut.toLong(), tokens.sum)
            assertEquals(tokens.bounds.size + 1, tokens.counts.size)
            assertEquals("battery-power", performance.energy.single().method)
            val day = performance.days.single()
            assertEquals(Thermal.FAIR to 1L, day.thermalMax to day.answeredHere)
            assertTrue(performance.regressions.isEmpty() && performance.failures.isEmpty())
            val page = assistant.performancePage()
            assertTrue("this phone" in page && "<svg" in page)
            for (text in listOf(page, performance.json)) assertFalse("secret" in text)
            assistant.resetPerformance()
            assertEquals(0, assistant.performance().outcomes.answered)
        }
}
