//! Policy documents: parsing TOML or JSON into values, or an error that says where and why.

mod conditions;
mod decode;
mod error;
mod json;
mod node;
pub(crate) mod policy;
mod preset;
mod reader;
mod set;
mod telemetry;
mod tools;
mod url;

pub use error::{PolicyError, PolicyErrorReason};
pub use node::Format;
pub(crate) use policy::as_trust_word;
pub use policy::{Endpoint, Limits, Order, Policy, PolicyRole};
pub use preset::Preset;
pub use set::PolicySet;
pub(crate) use url::{host, is_loopback};
