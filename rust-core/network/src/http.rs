//! HTTP and what lies below it: endpoints and the trust in them, connections, one exchange, and the rules for sending again. What the bytes
//! of a body mean is read in `chat`.

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
