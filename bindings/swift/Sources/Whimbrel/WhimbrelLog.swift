import WhimbrelCore

/// How much is logged. No level logs what users or models write.
public enum LogLevel: Sendable, Equatable {
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

/// The core's log, one for the whole process.
public enum WhimbrelLog {
    /// Takes one message of one of the core's modules. It is called on the core's thread: it should hand the message over
    /// and return.
    public typealias Sink = @Sendable (_ level: LogLevel, _ module: String, _ message: String) -> Void

    /// Sets how much is logged.
    public static func setLevel(_ level: LogLevel) { setLogLevel(level: level.toCore()) }

    /// Sets who gets the messages; with `nil` the platform's log does.
    public static func setSink(_ sink: Sink?) { setLogSink(sink: sink.map(CoreSink.init)) }
}

private final class CoreSink: WhimbrelCore.LogSink {
    private let sink: WhimbrelLog.Sink

    init(_ sink: @escaping WhimbrelLog.Sink) { self.sink = sink }

    func log(level: WhimbrelCore.LogLevel, target: String, message: String) {
        sink(LogLevel(level), target, message)
    }
}

extension LogLevel {
    init(_ core: WhimbrelCore.LogLevel) {
        switch core {
        case .off: self = .off
        case .error: self = .error
        case .warn: self = .warn
        case .info: self = .info
        case .debug: self = .debug
        case .trace: self = .trace
        }
    }

    func toCore() -> WhimbrelCore.LogLevel {
        switch self {
        case .off: .off
        case .error: .error
        case .warn: .warn
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }
}
