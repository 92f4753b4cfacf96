//! What this machine says of itself: its device state, its memory and processors, the time, and where files are kept.

pub(crate) mod device;
mod network;
pub(crate) mod paths;
pub(crate) mod system;
pub(crate) mod time;
