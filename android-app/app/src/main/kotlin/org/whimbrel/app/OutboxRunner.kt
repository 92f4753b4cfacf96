package org.whimbrel.app

import org.whimbrel.WhimbrelException
import org.whimbrel.android.ModelInstaller
import java.io.File

/** One run of the outbox, whether a screen is open or not. */
class OutboxRunner(
    private val installer: ModelInstaller,
    private val openGateway: () -> ModelGateway,
    private val now: () -> Long,
) {
    /** Answers what can be answered now. Returns when there is something to do again, if anything waits for that. */
    suspend fun run(): NextRun? =
        openGateway().use { gateway ->
            val outbox = gateway.kept().outbox
            if (outbox.list().isEmpty()) return null
            openModel(gateway)
            val run = outbox.runDue()
            // What the system and the core take for a network may differ for a moment: never in a circle without a pause.
            run.nextMs?.let { NextRun(maxOf(it, now() + PAUSE_MS), run.nextNeeds) }
        }

    /** A question may wait for the model of this phone. A damaged one does not keep questions from other places. */
    private suspend fun openModel(gateway: ModelGateway) {
        val folder = installer.installed() ?: return
        try {
            gateway.needModel(folder)
        } catch (error: WhimbrelException) {
            System.err.println("the outbox runs without the model: ${error.code}")
        }
    }

    private companion object {
        const val PAUSE_MS = 30_000L
    }
}
