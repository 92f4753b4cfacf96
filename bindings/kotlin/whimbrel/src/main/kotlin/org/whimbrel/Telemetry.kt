package org.whimbrel

import kotlin.time.Duration
import org.whimbrel.ffi.Telemetry as CoreTelemetry

/**
 * The telemetry of an [Assistant]: tells the app's developer what requests took, never what they said. Nothing is sent before
 * [allow], and nothing after [withdraw].
 */
public class Telemetry internal constructor(
    private val core: CoreTelemetry,
) {
    /** How it stands. */
    public suspend fun status(): TelemetryStatus = awaited { core.status().toPublic() }

    /**
     * The user agrees that this is sent to where the app's policy says. Only what happens from now on is sent.
     *
     * @throws WhimbrelException.NoTelemetry if the policy has no section `telemetry`.
     */
    public suspend fun allow(signals: TelemetrySignals): Unit = awaited { core.allow(signals.toCore()) }

    /** The user withdraws the consent. Afterwards nothing is sent any more, and what waited is forgotten. */
    public suspend fun withdraw(): Unit = awaited { core.withdraw() }

    /** Connection settings of the collector that are not part of the policy. */
    public fun setCollector(extras: EndpointExtras): Unit = translated { core.setCollector(extras.toCore()) }

    /** Keeps the collector's key in the vault; `null` forgets it. */
    public suspend fun setKey(key: String?): Unit = awaited { core.setKey(key) }

    /**
     * Names of models and tasks that may be sent as they are. All others are sent as `other`. They are not kept: an app gives them when
     * it has opened its assistant, before anything runs.
     */
    public fun setNames(
        models: Set<String> = emptySet(),
        tasks: Set<String> = emptySet(),
    ): Unit = translated { core.setNames(models.toList(), tasks.toList()) }

    /**
     * Sends what is due. While the assistant lives this happens by itself. Call it when the system gives the app time in the
     * background, and with [within] when the app goes to the background: for so long it may still run.
     */
    public suspend fun run(within: Duration? = null): TelemetryRun =
        awaited { core.run(within?.inWholeMilliseconds?.atLeastZero("within")).toPublic() }
}
