//! Chat completions: the JSON of request and answer, the stream of events, and the client that turns them into an [`Answer`](crate::Answer).

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod completion;
pub(crate) mod reader;
pub(crate) mod request;
pub(crate) mod sse;
pub(crate) mod task;
