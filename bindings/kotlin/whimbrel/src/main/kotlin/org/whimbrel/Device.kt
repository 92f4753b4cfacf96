// scripts/bindings-values.py writes this from bindings/ffi/src/device.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/**
 * How hot the device is, in the four levels of iOS. Android's seven levels map onto them: none and light are `NOMINAL`,
 * moderate is `FAIR`, severe is `SERIOUS`, and the rest are `CRITICAL`.
 */
public enum class Thermal {
    /** No restrictions. */
    NOMINAL,

    /** Warm: defer work that can wait. */
    FAIR,

    /** Hot: the system throttles the processor. */
    SERIOUS,

    /** Too hot: the system stops what it can. */
    CRITICAL,
}

/** The network that a request would use. */
public enum class Network {
    /** No network. */
    OFFLINE,

    /** Data costs money or is limited. */
    METERED,

    /** Data is free. */
    UNMETERED,

    /** Metered, on a foreign network. */
    ROAMING,
}

/** Hardware other than the processor that runs models. */
public enum class Accelerator {
    /** A graphics processor. */
    GPU,

    /** A neural processor. */
    NPU,

    /** A signal processor. */
    DSP,
}

/** The values of a `DeviceUpdate`, for listing those that are no longer known. */
public enum class DeviceFact {
    /** `batteryPercent` */
    BATTERY_PERCENT,

    /** `charging` */
    CHARGING,

    /** `batteryMilliwatts` */
    BATTERY_MILLIWATTS,

    /** `powerSave` */
    POWER_SAVE,

    /** `thermal` */
    THERMAL,

    /** `memoryTotalBytes` */
    MEMORY_TOTAL_BYTES,

    /** `memoryAvailableBytes` */
    MEMORY_AVAILABLE_BYTES,

    /** `memoryProcessBytes` */
    MEMORY_PROCESS_BYTES,

    /** `storageFreeBytes` */
    STORAGE_FREE_BYTES,

    /** `network` */
    NETWORK,

    /** `roundTrip` */
    ROUND_TRIP_MS,

    /** `lossPercent` */
    LOSS_PERCENT,

    /** `performanceCores` */
    PERFORMANCE_CORES,

    /** `accelerators` */
    ACCELERATORS,

    /** `foreground` */
    FOREGROUND,
}

/**
 * The current state of the device, with as many values as the app knows. Most readings expire after two minutes, so
 * send them again with each question. The totals (memory, cores, accelerators) do not expire.
 *
 * @property batteryPercent battery charge in percent, 0 to 100; a larger value counts as unknown.
 * @property charging whether the battery is charging.
 * @property batteryMilliwatts the power that the battery gives now, for the whole device, in milliwatts: current times
 *   voltage.
 * @property powerSave whether power saving is on.
 * @property thermal how hot the device is.
 * @property memoryTotalBytes total memory of the device in bytes.
 * @property memoryAvailableBytes memory that is available without evicting other apps, in bytes.
 * @property memoryProcessBytes memory that the system still allows this process, in bytes.
 * @property storageFreeBytes free storage in bytes.
 * @property network the kind of network.
 * @property roundTrip measured round-trip time.
 * @property lossPercent measured rate of lost packets or failed requests in percent, 0 to 100; a larger value counts as
 *   unknown.
 * @property performanceCores number of performance cores.
 * @property accelerators hardware other than the processor that runs models.
 * @property foreground whether the app is in the foreground.
 * @property unknown values that are no longer known. If a value is also given, it is ignored.
 */
public data class DeviceUpdate(
    public val batteryPercent: Int? = null,
    public val charging: Boolean? = null,
    public val batteryMilliwatts: Int? = null,
    public val powerSave: Boolean? = null,
    public val thermal: Thermal? = null,
    public val memoryTotalBytes: Long? = null,
    public val memoryAvailableBytes: Long? = null,
    public val memoryProcessBytes: Long? = null,
    public val storageFreeBytes: Long? = null,
    public val network: Network? = null,
    public val roundTrip: Duration? = null,
    public val lossPercent: Int? = null,
    public val performanceCores: Int? = null,
    public val accelerators: List<Accelerator>? = null,
    public val foreground: Boolean? = null,
    public val unknown: List<DeviceFact> = emptyList(),
)
