package org.whimbrel

import kotlin.test.Test

/** Not a test: scripts/bench-bindings.sh asks for it by name, and reads what it prints. */
class SpeedBench {
    @Test
    fun `tokens per second as a reader of the flow sees them`() =
        withClient { client ->
            val model = client.openModel(Models.smollm2, OpenOptions(threads = 1))
            val tokensMax = Models.variable("WHIMBREL_MAX_TOKENS").toInt()
            val options = atMost(tokensMax, speculation = false)
            // The virtual machine compiles its own code during the first ones.
            repeat(ANSWERS) { index ->
                var first = 0L
                var tokens = 0
                model.conversation().ask(Models.variable("WHIMBREL_QUESTION"), options).collect { event ->
                    if (first == 0L && event is Event.Text) first = System.nanoTime()
                    if (event is Event.Finished) tokens = event.report.tokensOut.toInt()
                }
                val seconds = (System.nanoTime() - first) / NANOSECONDS
                if (index >= WARM_UP) println("speed ${(tokens - 1) / seconds}")
            }
        }

    private companion object {
        const val ANSWERS = 5
        const val WARM_UP = 2
        const val NANOSECONDS = 1e9
    }
}
