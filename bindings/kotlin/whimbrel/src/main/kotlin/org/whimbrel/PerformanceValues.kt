// scripts/bindings-values.py writes this from bindings/ffi/src/performance.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/**
 * What requests took since counting began. Everything is counted on this device; see `Telemetry` for what may leave it.
 *
 * @property beginsMs when counting began, in milliseconds since 1970.
 * @property throughMs when the last request that is counted ended.
 * @property outcomes how all requests ended.
 * @property series one for each kind of request, most requests first.
 * @property days the days with requests, oldest first; the last 49 of them.
 * @property regressions models on this device that have become slower or worse.
 * @property failures how often requests failed with each code, most frequent first.
 * @property energy the energy used on this device, by the method of estimating it.
 * @property endings how often the app was ended in the middle of a request, by its stage.
 * @property json all of it in JSON.
 */
public data class Performance(
    public val beginsMs: Long,
    public val throughMs: Long,
    public val outcomes: RequestOutcomes,
    public val series: List<PerformanceSeries>,
    public val days: List<PerformanceDay>,
    public val regressions: List<Regression>,
    public val failures: List<FailureCount>,
    public val energy: List<EnergyTotal>,
    public val endings: List<EndingCount>,
    public val json: String,
)

/**
 * How requests ended.
 *
 * @property answered with an answer.
 * @property givenAgain with an answer that was given before.
 * @property cancelled the user or the app stopped them.
 * @property failed without an answer.
 * @property denied the policy denied them.
 * @property deferred they were deferred.
 * @property interrupted the process ended before they did.
 */
public data class RequestOutcomes(
    public val answered: Long,
    public val givenAgain: Long,
    public val cancelled: Long,
    public val failed: Long,
    public val denied: Long,
    public val deferred: Long,
    public val interrupted: Long,
)

/**
 * What requests of one kind took: those of one task that one model answered at one kind of place.
 *
 * @property place where they were answered, or tried last. Absent if no place was asked.
 * @property model the model.
 * @property variant the model's variant, on this device.
 * @property task the task.
 * @property device the class of the device, if its memory is known.
 * @property outcomes how they ended.
 * @property bytesOut bytes that left the device for them.
 * @property bytesIn bytes that were received for them.
 * @property memoryBytesMax the most memory that the process had at the end of one of them, in bytes.
 * @property measures the measures that have values.
 */
public data class PerformanceSeries(
    public val place: PlaceKind?,
    public val model: String?,
    public val variant: String?,
    public val task: String,
    public val device: DeviceClass?,
    public val outcomes: RequestOutcomes,
    public val bytesOut: Long,
    public val bytesIn: Long,
    public val memoryBytesMax: Long,
    public val measures: List<MeasuredValues>,
)

/** How much a device can do, in classes that are too wide to tell one device from another. */
public enum class DeviceClass {
    /** Less than 4 GB of memory. */
    SMALL,

    /** 4 to 8 GB. */
    MEDIUM,

    /** 8 GB and more. */
    LARGE,
}

/** One figure of a request. Times are in microseconds. */
public enum class Measure {
    /** From the request to its end. */
    TOTAL,

    /** From the request to the first text. */
    FIRST_TOKEN,

    /** Looking for private data in the text, and replacing it. */
    EXAMINE,

    /** Deciding where to ask. */
    DECIDE,

    /** On this device, until the model begins with the prompt. */
    LOAD,

    /** On this device: one token of the prompt, on average over the prompt. */
    PREFILL_TOKEN,

    /** On this device: one token of the answer, on average over the answer. */
    DECODE_TOKEN,

    /** Elsewhere: from asking the place to the first piece of its answer. */
    NETWORK,

    /** Processor time of the whole process, on all cores. */
    PROCESSOR,

    /** Tokens of the prompt. */
    INPUT_TOKENS,

    /** Tokens of the answer. */
    OUTPUT_TOKENS,

    /** Energy used on this device, in millijoules. */
    ENERGY,
}

/**
 * The values of one measure over the answers of a series.
 *
 * @property measure the measure.
 * @property count how many values there are.
 * @property sum their sum.
 * @property min the smallest.
 * @property max the largest.
 * @property median half of the values are below it. Estimated, as is the next one.
 * @property p95 95 % of the values are below it.
 * @property bounds the upper bounds of the histogram's buckets.
 * @property counts how many values are in each bucket; one more than there are bounds, for what is larger.
 */
public data class MeasuredValues(
    public val measure: Measure,
    public val count: Long,
    public val sum: Long,
    public val min: Long,
    public val max: Long,
    public val median: Double,
    public val p95: Double,
    public val bounds: List<Long>,
    public val counts: List<Int>,
)

/**
 * What one day's requests took.
 *
 * @property beginsMs when the day began, in milliseconds since 1970.
 * @property outcomes how its requests ended.
 * @property answeredHere how many were answered on this device.
 * @property answeredElsewhere how many were answered elsewhere.
 * @property bytesOut bytes that left the device.
 * @property outputTokens tokens of answers.
 * @property millijoules energy used on this device, in millijoules.
 * @property medianFirstToken the median time to the first text. Absent if there was no text.
 * @property decodeTokensPerSecond the median speed of answers on this device, in tokens per second.
 * @property batteryPercentPerHour how fast the battery's charge fell between requests, in percent an hour, whatever the
 *   reason.
 * @property thermalMax the hottest that the device was at the end of a request.
 */
public data class PerformanceDay(
    public val beginsMs: Long,
    public val outcomes: RequestOutcomes,
    public val answeredHere: Long,
    public val answeredElsewhere: Long,
    public val bytesOut: Long,
    public val outputTokens: Long,
    public val millijoules: Long,
    public val medianFirstToken: Duration?,
    public val decodeTokensPerSecond: Double?,
    public val batteryPercentPerHour: Double?,
    public val thermalMax: Thermal?,
)

/** What has become worse about a model. */
public enum class RegressionKind {
    /** It takes longer for a token. */
    SLOWER,

    /** More of its answers fail or repeat themselves. */
    WORSE,

    /** People reject more of its answers. */
    REJECTED,
}

/**
 * A model on this device has become slower or worse.
 *
 * @property model the model.
 * @property variant its variant.
 * @property kind what has become worse.
 * @property sinceMs when it became so, estimated, in milliseconds since 1970.
 * @property foundMs when that was found.
 * @property before what it was before: the typical time for a token of an answer in microseconds, or the share of bad
 *   or rejected answers, 0 to 1.
 * @property after what it is now, in the same unit.
 */
public data class Regression(
    public val model: String,
    public val variant: String,
    public val kind: RegressionKind,
    public val sinceMs: Long,
    public val foundMs: Long,
    public val before: Double,
    public val after: Double,
)

/**
 * How often requests failed with a code.
 *
 * @property code the code.
 * @property count how often.
 */
public data class FailureCount(
    public val code: String,
    public val count: Long,
)

/** What a request was doing. */
public enum class RequestStage {
    /** Its text was examined, and it was decided where to ask. */
    DECIDE,

    /** The model's context was made or restored, other answers had their turn, or a short prompt was read. */
    LOAD,

    /** The model read a long prompt. */
    PREFILL,

    /** The model wrote the answer. */
    DECODE,

    /** A place elsewhere was asked and had not answered yet. */
    NETWORK,

    /** A place elsewhere answered. */
    RECEIVE,

    /** The app carried out a tool. */
    TOOL,
}

/**
 * A request that was going on when the app was ended.
 *
 * @property stage what it was doing.
 * @property progressMs when it made progress last, in milliseconds since 1970.
 * @property aliveMs when the app was known to run last.
 * @property isStuck whether it had made no progress for ten seconds while it computed: the app was probably ended
 *   because of that.
 */
public data class RequestEnding(
    public val stage: RequestStage,
    public val progressMs: Long,
    public val aliveMs: Long,
    public val isStuck: Boolean,
)

/**
 * How often the app was ended in a stage of a request.
 *
 * @property stage the stage.
 * @property times how often.
 * @property stuck how often the request had made no progress for ten seconds before, while it computed.
 */
public data class EndingCount(
    public val stage: RequestStage,
    public val times: Long,
    public val stuck: Long,
)

/**
 * Energy by the method of estimating it.
 *
 * @property method the method.
 * @property millijoules millijoules.
 */
public data class EnergyTotal(
    public val method: String,
    public val millijoules: Long,
)
