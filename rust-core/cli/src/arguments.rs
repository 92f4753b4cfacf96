//! The flags that several commands have in common; those of a single command are declared beside it.

pub(crate) mod conversations;
pub(crate) mod form;
pub(crate) mod generation;
pub(crate) mod ledger;
pub(crate) mod mcp;
pub(crate) mod model;
pub(crate) mod number;
pub(crate) mod policy;
pub(crate) mod policy_documents;
pub(crate) mod tools;
