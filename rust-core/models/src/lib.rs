//! How models come onto a device: a file is fetched ([`download::fetch`]), and a GGUF file becomes a bundle in a cache at its first use
//! ([`bundle_of`]). What a model file means is known by `whimbrel-forge`; how a download goes is decided by `whimbrel-policy`, and
//! `whimbrel-network` has the socket.

mod background;
mod cache;
pub mod disk;
pub mod download;
mod error;
mod note;

pub use background::{BackgroundImport, Imported};
pub use cache::{Description, FileUse, Step, bundle_of};
pub use error::ModelsError;
/// What is known of model files, for errors and notices.
pub use whimbrel_forge as forge;
