//! Files and folders that appear whole or not at all, and never in the place of something that was not meant to go. Every
//! part of the product that writes beside a place and renames does it here; what the bytes mean is not known here. [`message()`]
//! words errors for people, without the names of the files that are written beside. [`Stamp`] tells whether
//! a file changed without reading it.
//!
//! A file is written with [`NewFile`] (or [`write()`] for bytes that already exist), a folder with [`NewFolder`]. Both are
//! built under a hidden name beside their place, `.NAME.whimbrel…`, and hold a lock there while their process lives, so what
//! a killed process left is told from work in progress.
//!
//! Where the caller did not allow a replacement, the last step is a rename that fails when something stands at the place
//! ([`rename_new`]), so what appeared meanwhile stays.

mod file;
mod folder;
mod lock;
mod message;
mod rename;
mod stamp;
mod steps;

pub use file::{Existing, NewFile, Readers, clear_leftovers, is_unfinished, write};
pub use folder::{FolderError, FolderKind, NewFolder, clear_unfinished, remove_folder};
pub use lock::Lock;
pub use message::message;
pub use rename::rename_new;
pub use stamp::Stamp;
