//! Byte counts of a request, and how far it got.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The bytes of a request in all its attempts: request and status lines, header fields and bodies, as HTTP/1.1 writes them. Framing, HTTP/2
/// header compression and TLS are not counted. Bytes count as sent once they were handed to a connection.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Traffic {
    /// The number of attempts.
    pub attempts: u32,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
}

/// How far a request got.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// No byte of its text left the device.
    NotSent,
    /// The server refused it with a status.
    Refused,
    /// It was sent, and nothing came back: the server may or may not have worked on it.
    Unknown,
    /// The server started to answer.
    Answered,
}

/// What a request has done so far, seen from several tasks.
#[derive(Debug, Default)]
pub(crate) struct RequestProgress {
    attempts: AtomicU32,
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
    /// A [`Delivery`], in its order.
    delivery: AtomicU8,
    text_seen: AtomicBool,
    /// The caller does not take events fast enough; the server is not to blame for the time.
    waits_for_caller: AtomicBool,
}

impl RequestProgress {
    pub(crate) fn begin_attempt(&self) -> u32 {
        self.attempts.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn add_sent(&self, bytes: u64) {
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
        self.set_delivery(Delivery::Unknown);
    }

    pub(crate) fn add_received(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_delivery(&self, delivery: Delivery) {
        self.delivery.store(delivery as u8, Ordering::Relaxed);
    }

    pub(crate) fn set_text_seen(&self) {
        self.text_seen.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_text_seen(&self) -> bool {
        self.text_seen.load(Ordering::Relaxed)
    }

    pub(crate) fn set_waits_for_caller(&self, waits: bool) {
        self.waits_for_caller.store(waits, Ordering::Relaxed);
    }

    pub(crate) fn waits_for_caller(&self) -> bool {
        self.waits_for_caller.load(Ordering::Relaxed)
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            attempts: self.attempts.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn delivery(&self) -> Delivery {
        let reached = self.delivery.load(Ordering::Relaxed);
        [Delivery::NotSent, Delivery::Refused, Delivery::Unknown]
            .into_iter()
            .find(|delivery| *delivery as u8 == reached)
            .unwrap_or(Delivery::Answered)
    }
}
