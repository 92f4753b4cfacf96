// scripts/bindings-values.py writes this from bindings/ffi/src/logging.rs: change that, then run  make bindings.
package org.whimbrel

/** How much is logged. No level logs what users or models write. */
public enum class LogLevel {
    /** Nothing. */
    OFF,

    /** Defects. */
    ERROR,

    /** Defects and what went wrong. The level at the start. */
    WARN,

    /** And what was opened and closed. */
    INFO,

    /** And the counts and rates of every answer. */
    DEBUG,

    /** Everything. */
    TRACE,
}
