//! Chat completions: the JSON of request and answer, the stream of events, and the client that turns them into an [`Answer`](crate::Answer).

pub(crate) mod answer;
pub(crate) mod calls;
pub(crate) mod client;
pub(crate) mod completion;
mod content;
pub(crate) mod finish;
mod form;
mod halves;
pub(crate) mod reader;
pub(crate) mod request;
pub(crate) mod server_error;
pub(crate) mod sse;
pub(crate) mod stream;
pub(crate) mod task;
mod tidy;
mod tools;
