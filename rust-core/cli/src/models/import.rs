//! A model file becomes a bundle, with progress and Ctrl-C.

use whimbrel_engine::{CancelFlag, Manifest};
use whimbrel_forge::{ImportOptions, Notice, Phase};

use crate::error::CliError;
use crate::terminal::interrupt;
use crate::terminal::progress::Progress;

/// Imports with a progress bar, and returns what a person should know of the result too; Ctrl-C cancels and leaves nothing behind.
pub(crate) fn import(mut options: ImportOptions) -> Result<(Manifest, Vec<Notice>), CliError> {
    let cancel = CancelFlag::default();
    options.cancel = cancel.clone();
    let _guard = interrupt::on_raise(move || cancel.cancel());
    let mut bar = None;
    let mut notices = Vec::new();
    let mut show = |progress: whimbrel_forge::Progress| {
        let bar = bar.get_or_insert_with(|| Progress::bytes("importing", progress.bytes_total));
        if progress.phase != Phase::Finishing {
            bar.set(progress.bytes_done);
        }
    };
    let manifest = whimbrel_forge::import_with_notices(&options, &mut show, &mut |notice| notices.push(notice))?;
    Ok((manifest, notices))
}

/// Size of the files that a manifest names.
pub(crate) fn bundle_bytes(manifest: &Manifest) -> u64 {
    manifest.files().iter().map(|file| file.bytes).sum()
}
