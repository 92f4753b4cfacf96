package org.whimbrel

import org.whimbrel.ffi.setLogLevel
import org.whimbrel.ffi.setLogSink
import org.whimbrel.ffi.LogLevel as CoreLogLevel
import org.whimbrel.ffi.LogSink as CoreLogSink

/** Receives log messages. It is called on the core's thread, so it should hand the message over and return. */
public fun interface LogSink {
    /** Receives one [message] of the core's [module]. */
    public fun log(
        level: LogLevel,
        module: String,
        message: String,
    )
}

/** The core's log, one for the whole process. A level or sink set before the native library is loaded holds from its first message on. */
public object WhimbrelLog {
    /** Sets how much is logged. */
    public fun setLevel(level: LogLevel): Unit = CoreLibrary.whenLoaded { setLogLevel(level.toCore()) }

    /** Sets who gets the messages; with `null` the platform's log does. */
    public fun setSink(sink: LogSink?): Unit = CoreLibrary.whenLoaded { setLogSink(sink?.let(::Sink)) }
}

private class Sink(
    private val sink: LogSink,
) : CoreLogSink {
    override fun log(
        level: CoreLogLevel,
        target: String,
        message: String,
    ) = sink.log(level.toPublic(), target, message)
}
