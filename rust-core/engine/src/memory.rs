//! Whether there is room, asked before it is needed: Rust ends the process when a small allocation fails, so what follows a
//! large one must not be left without any.

use memmap2::MmapMut;

use crate::EngineError;

/// Room for what is allocated in small pieces while a model is opened: the graph, thread stacks. In bytes.
pub(crate) const OPENING_BYTES: u64 = 32 << 20;
/// Room for what is allocated in small pieces while a question is answered: texts, activations. In bytes.
pub(crate) const ANSWERING_BYTES: u64 = 8 << 20;

/// Asks the system for this many bytes of address space and gives them back.
///
/// # Errors
/// [`EngineError::Memory`] when the process may not have them. That memory is there when it is written is not known from this:
/// a control group's limit ends the process instead.
pub(crate) fn check_room(what: &str, context_length: u32, bytes: u64) -> Result<(), EngineError> {
    let failed = |source| EngineError::Memory {
        what: what.to_owned(),
        context_length,
        bytes,
        source,
    };
    let length = usize::try_from(bytes).map_err(|_| failed(std::io::ErrorKind::OutOfMemory.into()))?;
    MmapMut::map_anon(length.max(1)).map(drop).map_err(failed)
}

/// Lets memory that is short be told before it runs out, in a process whose address space is limited (`ulimit -v`). There glibc would
/// reserve 64 MiB and more for each thread, at moments that nobody can plan with, and what was left would be too little for the small
/// allocations that end the process when they fail. For programs that own their process, before they start threads; without a limit or
/// without glibc it does nothing.
///
/// ```
/// whimbrel_engine::share_limited_memory();
/// ```
pub fn share_limited_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the limit is a plain structure, for which zeros are valid, and is written by the call; `mallopt` takes two numbers.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) == 0 && limit.rlim_cur != libc::RLIM_INFINITY {
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_has_is_refused_with_figures() {
        assert!(check_room("a test", 0, 1 << 20).is_ok());
        let error = check_room("a test", 7, 1 << 60).expect_err("nobody has that much");
        assert!(matches!(error, EngineError::Memory { context_length: 7, bytes, .. } if bytes == 1 << 60));
        assert!(
            error
                .to_string()
                .starts_with("not enough memory for a test (1152921504606846976 bytes)")
        );
    }
}
