//! Why a download failed.

use super::{FILE_BYTES_MAX, Location, LocationError, REDIRECTS_MAX, SLOW_BYTES, SLOW_MS};

/// Why an address does not give the file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The connection failed.
    #[error("{reason}")]
    Network {
        /// What went wrong.
        reason: String,
    },
    /// The server does not give the file.
    #[error("the server answered with status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// It leads to an address that is not used.
    #[error("it redirects to an address that is not used: {error}")]
    Redirect {
        /// What is wrong with the address.
        error: LocationError,
    },
    /// Its redirects lead in a circle.
    #[error("its redirects lead in a circle")]
    RedirectLoop,
    /// It redirects too often.
    #[error("it redirects more than {REDIRECTS_MAX} times")]
    TooManyRedirects,
    /// The answer contradicts HTTP.
    #[error("the server's answer is not valid")]
    Protocol,
    /// The body is compressed.
    #[error("the server sends the file in an encoding that was not asked for")]
    Encoded,
    /// There is a web page.
    #[error("it is a web page, not a model file")]
    Page,
    /// There is something else.
    #[error("it is not a GGUF file: it does not start with \"GGUF\"")]
    NotGguf,
    /// The file is too large.
    #[error("the file has more than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The server sent something else than the part that was asked for.
    #[error("the server sent another part of the file than it was asked for")]
    Range,
    /// The server cannot send a part of the file.
    #[error("the server cannot send the rest of a file, so the download cannot be resumed")]
    NoRanges,
    /// The file is not the one that was begun.
    #[error("it is not the same file as at the other address")]
    OtherFile,
    /// The file on the server changed again and again.
    #[error("the file changed while it was fetched")]
    Changed,
    /// The body ended early.
    #[error("the server ended the file too early")]
    Truncated,
    /// The body dripped.
    #[error("fewer than {SLOW_BYTES} bytes came in {} seconds", SLOW_MS / 1_000)]
    Slow,
}

impl Problem {
    /// Whether it shows that nothing of what came from there is of use.
    pub(super) fn says_nothing_is_right(&self) -> bool {
        matches!(self, Problem::Page | Problem::NotGguf | Problem::Changed)
    }
}

/// Why there is no file. The bytes so far are kept, unless they are of no use.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DownloadFailure {
    /// No address gives it.
    #[error("{}", listed(.0))]
    Sources(Vec<(Location, Problem)>),
    /// The disk has too little space.
    #[error("{bytes_needed} bytes of disk space are needed, {bytes_free} are free")]
    Space {
        /// For the rest of the file, what is made of it, and a reserve.
        bytes_needed: u64,
        /// What is free.
        bytes_free: u64,
    },
    /// Bytes cost money on this network.
    #[error("the network is metered")]
    Metered {
        /// How many bytes are to come, if that is known.
        bytes: Option<u64>,
    },
    /// The file is complete, but it is not the right one.
    #[error("the file does not have the expected SHA-256")]
    Checksum,
    /// Nobody wanted it any more.
    #[error("cancelled")]
    Cancelled,
}

fn listed(sources: &[(Location, Problem)]) -> String {
    match sources {
        [] => "no address was given".to_owned(),
        sources => {
            let one = |(location, problem): &(Location, Problem)| format!("cannot fetch {location}: {problem}");
            sources.iter().map(one).collect::<Vec<_>>().join("; ")
        }
    }
}
