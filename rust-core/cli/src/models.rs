//! Models on this machine: the catalogue of those that can be pulled, fetching them, and the folder where they are installed.

pub(crate) mod catalogue;
pub(crate) mod completion;
pub(crate) mod fetch;
pub(crate) mod fetch_error;
pub(crate) mod import;
pub(crate) mod install;
pub(crate) mod model_file;
pub(crate) mod names;
pub(crate) mod pull_file;
