//! The only logger of the process. It passes Whimbrel's own messages to the app's sink, or to the platform's log if there is
//! none. Messages of other libraries are left out, because they have not been checked for private text.

use std::sync::{Arc, Once, PoisonError, RwLock};

use log::{LevelFilter, Log, Metadata, Record};

/// The log level. No level logs what users or models write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Bugs.
    Error,
    /// Bugs and failures. This is the initial level.
    Warn,
    /// Also what was opened and closed.
    Info,
    /// Also the counts and rates of every answer.
    Debug,
    /// Everything.
    Trace,
}

/// A sink failed to take a message.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum LogSinkError {
    /// The sink failed.
    #[error("the log sink failed: {reason}")]
    Failed {
        /// The sink's reason.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for LogSinkError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        LogSinkError::Failed { reason: error.reason }
    }
}

/// Receives log messages in place of the platform's log. It is called on the thread that logs, usually the one that
/// computes, so it should hand the message over and return.
#[uniffi::export(with_foreign)]
pub trait LogSink: Send + Sync {
    /// Receives one message of the module `target`.
    fn log(&self, level: LogLevel, target: String, message: String) -> Result<(), LogSinkError>;
}

/// Sets the log level for the whole process.
#[uniffi::export]
pub fn set_log_level(level: LogLevel) {
    install();
    log::set_max_level(level.into());
}

/// Sets the receiver of log messages for the whole process. Without a sink, they go to the platform's log.
#[uniffi::export]
pub fn set_log_sink(sink: Option<Arc<dyn LogSink>>) {
    install();
    *LOGGER.sink.write().unwrap_or_else(PoisonError::into_inner) = sink;
}

/// Makes ours the process's logger, once. A process that has another one already keeps it.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if log::set_logger(&LOGGER).is_ok() {
            log::set_max_level(LevelFilter::Warn);
        }
    });
}

static LOGGER: Logger = Logger {
    sink: RwLock::new(None),
};

struct Logger {
    sink: RwLock<Option<Arc<dyn LogSink>>>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("whimbrel")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Not called under the lock: a sink may set another sink.
        let sink = self.sink.read().unwrap_or_else(PoisonError::into_inner).clone();
        let taken = sink.is_some_and(|sink| {
            sink.log(record.level().into(), record.target().into(), record.args().to_string())
                .is_ok()
        });
        // What a failing sink did not take is not lost.
        if !taken {
            platform_log(record);
        }
    }

    fn flush(&self) {}
}

#[cfg(target_os = "android")]
fn platform_log(record: &Record<'_>) {
    use std::sync::LazyLock;

    use android_logger::{AndroidLogger, Config};

    static ANDROID: LazyLock<AndroidLogger> = LazyLock::new(|| {
        AndroidLogger::new(
            Config::default()
                .with_tag("whimbrel")
                .with_max_level(LevelFilter::Trace),
        )
    });
    ANDROID.log(record);
}

#[cfg(target_vendor = "apple")]
fn platform_log(record: &Record<'_>) {
    use std::sync::LazyLock;

    use oslog::{Level, OsLog};

    static APPLE: LazyLock<OsLog> = LazyLock::new(|| OsLog::new("org.whimbrel", "core"));
    let level = match record.level() {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Default,
        log::Level::Info => Level::Info,
        log::Level::Debug | log::Level::Trace => Level::Debug,
    };
    APPLE.with_level(level, &format!("{}: {}", record.target(), record.args()));
}

#[cfg(not(any(target_os = "android", target_vendor = "apple")))]
fn platform_log(record: &Record<'_>) {
    eprintln!("{} {}: {}", record.level(), record.target(), record.args());
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => LevelFilter::Off,
            LogLevel::Error => LevelFilter::Error,
            LogLevel::Warn => LevelFilter::Warn,
            LogLevel::Info => LevelFilter::Info,
            LogLevel::Debug => LevelFilter::Debug,
            LogLevel::Trace => LevelFilter::Trace,
        }
    }
}

impl From<log::Level> for LogLevel {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Error => LogLevel::Error,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Info => LogLevel::Info,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Trace => LogLevel::Trace,
        }
    }
}
