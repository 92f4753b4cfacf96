//! Models on this device, on a thread of their own. The thread owns every open model and session and does the computing; the handles here
//! only send commands to it and wait. The engine runs models. `whimbrel-client` decides which model is asked and which part of its answers
//! is kept.
//!
//! ```no_run
//! use whimbrel_engine::{GenerationOptions, Message, OpenOptions, Role, Step};
//! use whimbrel_inference::{Inference, SessionOptions, SessionSlot};
//!
//! # async fn answer() -> Result<(), whimbrel_inference::InferenceError> {
//! let inference = Inference::start()?;
//! let model = inference.open_model("bundle", OpenOptions::default()).await?;
//! let session = SessionSlot::default().of(&model, SessionOptions::default()).await?;
//! let question = Message {
//!     role: Role::User,
//!     content: "What is the capital of France?".into(),
//! };
//! let answer = session.ask(vec![question], GenerationOptions::default()).await?;
//! for step in answer.next().await? {
//!     if let Step::Text(text) = step {
//!         print!("{text}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod command;
mod error;
mod handle;
mod limits;
mod link;
mod model;
mod registry;
mod saved;
mod session;
mod stream;
mod thread;

pub use self::error::InferenceError;
pub use self::handle::Inference;
pub use self::limits::{
    ANSWERS_MAX, COMMANDS_WAITING_MAX, MODELS_MAX, SAVED_BYTES_MAX, SESSIONS_MAX, STEPS_WAITING_MAX,
};
pub use self::model::{ModelInfo, OpenModel};
pub use self::session::{Session, SessionSlot};
pub use self::stream::Stream;
pub use whimbrel_engine::{ChatOptions as SessionOptions, ContextUse};
