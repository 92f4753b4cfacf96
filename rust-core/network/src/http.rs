//! HTTP and the layers below it: endpoints and the certificates that they trust, connections, one exchange, and the rules for retries.
//! `chat` interprets the bytes of a body.

pub(crate) mod breaker;
pub(crate) mod connector;
pub(crate) mod endpoint;
pub(crate) mod exchange;
pub(crate) mod pins;
pub(crate) mod pool;
pub(crate) mod retry;
pub(crate) mod secret;
pub(crate) mod settings;
pub(crate) mod tls;
pub(crate) mod traffic;
pub(crate) mod trust;
