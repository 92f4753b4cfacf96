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

/** The core's log, one for the whole process. */
public object WhimbrelLog {
    /** Sets the log level. */
    public fun setLevel(level: LogLevel): Unit = setLogLevel(level.toCore())

    /** Sets the receiver of log messages; with `null` they go to the platform's log. */
    public fun setSink(sink: LogSink?): Unit = setLogSink(sink?.let(::Sink))
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
