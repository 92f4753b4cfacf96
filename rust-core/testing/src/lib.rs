//! What the tests of several crates share: a chat server on the loopback that follows a script, certificates for it, a random generator that
//! repeats itself, and secrets to plant in a text.
//!
//! Only development dependencies point to this crate (`rust-core/cli/tests/floors.rs` checks that). It depends on no other crate of the
//! workspace, so every one of them can use it.
//!
//! - [`ChatServer`] speaks HTTP/1.1, plain or over TLS, and keeps every request that it received. A suite without an async runtime starts it
//!   with [`ChatServer::start`] and a list of [`Reply`]; a suite on tokio writes [`Step`]s, down to the single byte, and runs the server on
//!   its own runtime, so that a paused clock stands still for both sides.
//! - [`Authority`] makes certificates for it.
//! - [`Random`] and [`planted`] make the cases of leak tests.
#![allow(
    clippy::unwrap_used,
    reason = "a test whose fixture cannot be set up has failed, and this is the place to say where"
)]

mod authority;
mod connection;
pub mod planted;
mod random;
mod reply;
mod script;
mod server;

pub use authority::{Authority, Leaf};
pub use random::Random;
pub use reply::{PIECES, Reply};
pub use script::{DONE, Step, chunk, chunked, delta, finish, head, response, stream_head};
pub use server::{ChatServer, Received};
