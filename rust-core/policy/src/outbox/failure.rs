//! The one table of failures: what can help after an attempt has failed. `docs/outbox.md` explains it, and a test keeps all of it in
//! `tests/outbox_failures.txt`.

use serde::{Deserialize, Serialize};
use whimbrel_record::Code;

/// What can help after a failure. A later one of the list helps less often.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Another network, or time: the request is retried by itself, and soon after the network has changed.
    Network,
    /// Time: the request is retried by itself.
    Time,
    /// Another key, policy or setting: the request is stuck until one of them changes.
    Settings,
    /// The user: the request is stuck until it is edited, retried or cancelled.
    User,
}

impl Remedy {
    /// Whether the request is retried without anyone doing anything.
    #[must_use]
    pub fn is_automatic(self) -> bool {
        matches!(self, Remedy::Network | Remedy::Time)
    }
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The reason, as in the receipt. Faults of the transport have codes of their own.
    pub code: Code,
    /// The HTTP status, if the endpoint answered with one. Without it, a status of 400 to 499 is only [`Code::Refused`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the endpoint asked to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether the attempt cost nothing for sure: the endpoint was not reached, or turned the request away.
    pub is_free: bool,
}

impl Failure {
    /// A failure that cost nothing, without a status.
    ///
    /// ```
    /// use whimbrel_policy::outbox::{Failure, Remedy};
    /// use whimbrel_record::Code;
    ///
    /// assert_eq!(Failure::free(Code::Unreachable).remedy(), Remedy::Network);
    /// assert_eq!(Failure::free(Code::KeyMissing).remedy(), Remedy::Settings);
    /// let refused = Failure { status: Some(408), ..Failure::free(Code::Refused) };
    /// assert_eq!(refused.remedy(), Remedy::Time);
    /// ```
    #[must_use]
    pub fn free(code: Code) -> Failure {
        Failure {
            code,
            status: None,
            retry_after_ms: None,
            is_free: true,
        }
    }

    /// What can help. If the code names a problem with the request itself, that counts, whatever the status. Otherwise a status that is not
    /// permanent counts, and then the code.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        let of_code = remedy_of_code(self.code);
        match self.status.map(remedy_of_status) {
            None => of_code,
            Some(of_status) if matches!(self.code, Code::Server | Code::Refused) => of_status,
            Some(of_status) if of_code != Remedy::User && of_status.is_automatic() => of_status,
            Some(_) => of_code,
        }
    }

    /// One failure for a request that failed at several places: the one that is the easiest to remedy, and of two such the one with the
    /// shorter wait. The attempts together are free if each of them is. `None` without a failure.
    #[must_use]
    pub fn most_hopeful(failures: impl IntoIterator<Item = Failure>) -> Option<Failure> {
        let better = |one: Failure, other: Failure| {
            let rank = |failure: &Failure| (failure.remedy(), failure.retry_after_ms.unwrap_or(0));
            let is_free = one.is_free && other.is_free;
            let chosen = if rank(&other) < rank(&one) { other } else { one };
            Failure { is_free, ..chosen }
        };
        failures.into_iter().reduce(better)
    }
}

/// What can help after an HTTP status. A status that is not listed counts as the first of its class (RFC 9110, section 15).
#[must_use]
pub fn remedy_of_status(status: u16) -> Remedy {
    match status {
        // Not an answer, but not a refusal either: a server or a proxy that does not follow HTTP.
        100..=299 => Remedy::Time,
        // A page of a network that wants a sign-in or payment, or of a service under maintenance. 304 comes from a cache.
        302..=304 | 307 => Remedy::Network,
        // The address is another one, for good.
        300..=399 => Remedy::Settings,
        // The key, the account, the address or the model's name.
        401..=405 | 407 | 410 | 414 | 415 | 426 | 431 | 440 | 451 | 498 => Remedy::Settings,
        // Time-outs, misdirected and early requests, rate limits. 409: the same key is being worked on; 423: locked; 424: the server behind
        // this one failed. 420 is an older 429; with 460 and 499, proxies say that the connection was lost.
        408 | 409 | 420 | 421 | 423 | 424 | 425 | 429 | 460 | 499 => Remedy::Time,
        // Everything else of this class is a problem with the request.
        400..=499 => Remedy::User,
        // The network wants a sign-in.
        511 => Remedy::Network,
        // None is permanent, not even 501 (not implemented), 505 (version not supported) and 510: servers that are being started or replaced
        // and proxies in front of them give these, and another attempt costs nothing, whereas a wrong verdict loses the question.
        500..=599 => Remedy::Time,
        // Not a status.
        _ => Remedy::Time,
    }
}

/// What can help after a failure with this code and without a status.
#[must_use]
pub fn remedy_of_code(code: Code) -> Remedy {
    match code {
        // The connection. A certificate that is not trusted is mostly a network that wants a sign-in, or a clock that is wrong; nothing has
        // left by then, so another attempt is harmless.
        Code::Unreachable
        | Code::Handshake
        | Code::Certificate
        | Code::Lost
        | Code::Truncated
        | Code::Protocol
        | Code::ContentType => Remedy::Network,
        // The endpoint.
        Code::TimedOut
        | Code::NoFirstToken
        | Code::Deadline
        | Code::RateLimited
        | Code::Server
        | Code::Malformed
        | Code::Reported
        | Code::CircuitOpen
        | Code::OverBudget => Remedy::Time,
        // This device. The vault may be locked until the user unlocks the device for the first time.
        Code::Busy
        | Code::OutOfMemory
        | Code::Closed
        | Code::Engine
        | Code::QuotaExceeded
        | Code::Unavailable
        | Code::Adapter
        | Code::KeyVault
        | Code::NotRecorded
        | Code::Ended
        | Code::DidNotStop
        | Code::NotBegun
        | Code::Internal => Remedy::Time,
        // Keys, accounts, addresses, policies.
        Code::KeyMissing
        | Code::KeyUnreadable
        | Code::NotLoopback
        | Code::Unauthorised
        | Code::NotFound
        | Code::Payment
        | Code::Redirected
        | Code::NoEndpoint
        | Code::EndpointSettings
        | Code::NoPermit
        | Code::AskedBefore => Remedy::Settings,
        // The request. The last of them have been answered and may have been paid for: whether to pay again is the user's choice.
        Code::ContextFull
        | Code::Declined
        | Code::Stop
        | Code::Form
        | Code::Refused
        | Code::RequestTooLarge
        | Code::UnsupportedOption
        | Code::NoThinking
        | Code::Request
        | Code::History
        | Code::NotCleared
        | Code::TooLong
        | Code::Panicked
        | Code::TooLarge
        | Code::ContentFilter
        | Code::EmptyAnswer
        | Code::CutOff
        | Code::NotInForm
        | Code::ToolCalls
        | Code::BadCall
        | Code::Refusal => Remedy::User,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_when_code_and_status_differ() {
        for (code, status, expected) in [
            (Code::Refused, 400, Remedy::User),
            (Code::Refused, 408, Remedy::Time),
            (Code::Server, 503, Remedy::Time),
            (Code::Server, 511, Remedy::Network),
            (Code::RateLimited, 400, Remedy::Time),
            (Code::NotFound, 400, Remedy::Settings),
            (Code::ContentFilter, 403, Remedy::User),
            (Code::Payment, 429, Remedy::Time),
            (Code::ContextFull, 500, Remedy::User),
        ] {
            let failure = Failure {
                status: Some(status),
                ..Failure::free(code)
            };
            assert_eq!(failure.remedy(), expected, "{code} {status}");
        }
    }

    #[test]
    fn the_most_hopeful_of_several() {
        let paid = Failure {
            is_free: false,
            ..Failure::free(Code::CutOff)
        };
        let limited = |retry_after_ms| Failure {
            retry_after_ms,
            ..Failure::free(Code::RateLimited)
        };
        assert_eq!(Failure::most_hopeful([]), None);
        let found = Failure::most_hopeful([
            paid,
            limited(Some(9)),
            limited(Some(5)),
            Failure::free(Code::KeyMissing),
        ]);
        let expected = Failure {
            is_free: false,
            ..limited(Some(5))
        };
        assert_eq!(found, Some(expected));
    }
}
