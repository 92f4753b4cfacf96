internal import WhimbrelCore

/// The core's log, one for the whole process.
public enum WhimbrelLog {
    /// Receives one message of one of the core's modules. It is called on the core's thread, so it should hand the
    /// message over and return.
    public typealias Sink = @Sendable (_ level: LogLevel, _ module: String, _ message: String) -> Void

    /// Sets the log level.
    public static func setLevel(_ level: LogLevel) { setLogLevel(level: level.toCore()) }

    /// Sets the receiver of log messages; with `nil` they go to the platform's log.
    public static func setSink(_ sink: Sink?) { setLogSink(sink: sink.map(CoreSink.init)) }
}

private final class CoreSink: WhimbrelCore.LogSink {
    private let sink: WhimbrelLog.Sink

    init(_ sink: @escaping WhimbrelLog.Sink) { self.sink = sink }

    func log(level: WhimbrelCore.LogLevel, target: String, message: String) {
        sink(level.toPublic(), target, message)
    }
}
