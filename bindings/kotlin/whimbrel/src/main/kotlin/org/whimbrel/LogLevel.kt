// scripts/bindings-values.py writes this from bindings/ffi/src/logging.rs: change that, then run  make bindings.
package org.whimbrel

/** The log level. No level logs what users or models write. */
public enum class LogLevel {
    /** Nothing. */
    OFF,

    /** Bugs. */
    ERROR,

    /** Bugs and failures. This is the initial level. */
    WARN,

    /** Also what was opened and closed. */
    INFO,

    /** Also the counts and rates of every answer. */
    DEBUG,

    /** Everything. */
    TRACE,
}
