// scripts/bindings-values.py writes this from bindings/ffi/src/telemetry.rs: change that, then run  make bindings.
package org.whimbrel

/**
 * What a user can agree to.
 *
 * @property metrics sums and histograms of what requests took.
 * @property traces how single requests went: times and places, never text.
 */
public data class TelemetrySignals(
    public val metrics: Boolean,
    public val traces: Boolean,
)

/**
 * Where the app's policy lets telemetry go. Show it to the user before asking for consent.
 *
 * @property url the address of the collector.
 * @property service the name under which the app reports.
 * @property trust who operates the collector.
 * @property signals what the policies let the app ask for.
 * @property bytesADay how many bytes may leave in a day at most.
 * @property connectionsADay how many connections may be made in a day at most.
 * @property isMeteredAllowed whether a metered network may be used.
 */
public data class TelemetryTarget(
    public val url: String,
    public val service: String,
    public val trust: TrustClass,
    public val signals: TelemetrySignals,
    public val bytesADay: Long,
    public val connectionsADay: Int,
    public val isMeteredAllowed: Boolean,
)

/**
 * What the user has agreed to.
 *
 * @property url the address for which the consent was given. For another one it does not count.
 * @property service the name of the app's service for which it was given.
 * @property signals what may be sent.
 * @property givenMs when it was given, in milliseconds since 1970.
 */
public data class TelemetryConsent(
    public val url: String,
    public val service: String,
    public val signals: TelemetrySignals,
    public val givenMs: Long,
)

/**
 * How telemetry stands.
 *
 * @property target where telemetry may go. Absent if the app's policy has no section for it.
 * @property consent what the user has agreed to. Absent if to nothing.
 * @property signals what may be sent now: what the policies and the consent have in common.
 * @property bytesToday bytes that left today.
 * @property connectionsToday connections that were made today.
 * @property waiting requests about which something waits to be sent.
 * @property dropped requests about which nothing will be sent, because they are too old or too many.
 * @property rejected items that the collector has left out.
 * @property json all of it in JSON.
 */
public data class TelemetryStatus(
    public val target: TelemetryTarget?,
    public val consent: TelemetryConsent?,
    public val signals: TelemetrySignals,
    public val bytesToday: Long,
    public val connectionsToday: Int,
    public val waiting: Long,
    public val dropped: Long,
    public val rejected: Long,
    public val json: String,
)

/**
 * What a run has sent.
 *
 * @property bytesOut bytes that left the device.
 * @property metrics whether the collector took sums.
 * @property requests about how many requests the collector took something.
 * @property rejected items that the collector has left out.
 * @property because why nothing was sent, as a code: `not_configured`, `no_consent`, `nothing_new`, `refused`,
 *   `no_network`, `metered`, `backoff`, `budget_connections`, `budget_bytes`, `interval`, `deadline`. Absent if
 *   something was sent or tried.
 * @property nextMs when it is time for the next run, in milliseconds since 1970.
 */
public data class TelemetryRun(
    public val bytesOut: Long,
    public val metrics: Boolean,
    public val requests: Long,
    public val rejected: Long,
    public val because: String?,
    public val nextMs: Long?,
)
