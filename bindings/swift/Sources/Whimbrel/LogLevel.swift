// scripts/bindings-values.py writes this from bindings/ffi/src/logging.rs: change that, then run  make bindings.

/// The log level. No level logs what users or models write.
public enum LogLevel: Sendable, Hashable, CaseIterable {
    /// Nothing.
    case off
    /// Bugs.
    case error
    /// Bugs and failures. This is the initial level.
    case warn
    /// Also what was opened and closed.
    case info
    /// Also the counts and rates of every answer.
    case debug
    /// Everything.
    case trace
}
