//! Models of this device: the one thread that computes, and the handles that send to it and wait for it. How a model runs is the engine's
//! business; which model is asked, and what is kept of its answers, is decided above.

mod client;
mod command;
mod inference;
mod link;
mod model;
mod registry;
mod saved;
mod session;
mod stream;

pub use self::client::Client;
pub use self::model::{Model, ModelInfo};
pub(crate) use self::session::{Session, SessionSlot};
pub(crate) use self::stream::Stream;
pub(crate) use whimbrel_engine::ChatOptions as SessionOptions;
