// scripts/bindings-values.py writes this from bindings/ffi/src/logging.rs: change that, then run  make bindings.

/// How much is logged. No level logs what users or models write.
public enum LogLevel: Sendable, Hashable, CaseIterable {
    /// Nothing.
    case off
    /// Defects.
    case error
    /// Defects and what went wrong. The level at the start.
    case warn
    /// And what was opened and closed.
    case info
    /// And the counts and rates of every answer.
    case debug
    /// Everything.
    case trace
}
