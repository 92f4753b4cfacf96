// scripts/bindings-values.py writes this from bindings/ffi/src/device.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/**
 * How hot the device is, in the four steps of iOS. Android's seven map onto them: none and light are `NOMINAL`,
 * moderate is `FAIR`, severe is `SERIOUS`, the rest is `CRITICAL`.
 */
public enum class Thermal {
    /** No limits. */
    NOMINAL,

    /** Warm; work that can wait should. */
    FAIR,

    /** Hot; the system slows the processor down. */
    SERIOUS,

    /** Too hot; the system stops what it can. */
    CRITICAL,
}

/** The network that a request would use. */
public enum class Network {
    /** There is none. */
    OFFLINE,

    /** Bytes cost money or are few. */
    METERED,

    /** Bytes are free. */
    UNMETERED,

    /** Metered, in a foreign network. */
    ROAMING,
}

/** Hardware beside the processor that runs models. */
public enum class Accelerator {
    /** A graphics processor. */
    GPU,

    /** A neural processor. */
    NPU,

    /** A signal processor. */
    DSP,
}

/** The values of a `DeviceUpdate`, to name those that are no longer known. */
public enum class DeviceFact {
    /** `batteryPercent` */
    BATTERY_PERCENT,

    /** `charging` */
    CHARGING,

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
 * What the app knows about the device now: as many values as it has. Most readings count for two minutes, so they are
 * best sent again with each question; the totals (memory, cores, accelerators) stay.
 *
 * @property batteryPercent charge of the battery in percent, 0 to 100; more counts as unknown.
 * @property charging whether it is being charged.
 * @property powerSave whether the user or the system asked for saving power.
 * @property thermal how hot the device is.
 * @property memoryTotalBytes memory of the device in bytes.
 * @property memoryAvailableBytes memory that can be had without pushing others out, in bytes.
 * @property memoryProcessBytes what the system still gives to this process, in bytes.
 * @property storageFreeBytes free storage in bytes.
 * @property network the network.
 * @property roundTrip measured time of a round trip.
 * @property lossPercent measured loss of packets or failed requests in percent, 0 to 100; more counts as unknown.
 * @property performanceCores processor cores that are made for speed.
 * @property accelerators hardware beside the processor that runs models.
 * @property foreground whether the app is in the foreground.
 * @property unknown what is no longer known. A value that is given besides is not taken.
 */
public data class DeviceUpdate(
    public val batteryPercent: Int? = null,
    public val charging: Boolean? = null,
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
