//! Weight files that are cut short while they are mapped. The system answers a read of bytes that are gone with SIGBUS, which ends
//! the process without a word. Where the program asked for it, a handler puts zeros in the place of what is gone and notes it; the
//! session finds the note after its run and fails with [`crate::EngineError::Corrupt`].
//!
//! It is asked for by programs that own their process, as the command does. In an app the handlers belong to the app and its
//! runtime, so a library must not take them.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Maps that are guarded at the same time; further ones are not guarded.
const MAPS_MAX: usize = 64;

/// A guarded map. The handler reads it, so it is nothing but atomics; `end` is 0 in a free place.
struct Place {
    taken: AtomicBool,
    start: AtomicUsize,
    end: AtomicUsize,
    is_cut: AtomicBool,
}

static PLACES: [Place; MAPS_MAX] = [const {
    Place {
        taken: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        is_cut: AtomicBool::new(false),
    }
}; MAPS_MAX];
/// Whether the handler is installed.
static IS_INSTALLED: AtomicBool = AtomicBool::new(false);
static PAGE_BYTES: AtomicUsize = AtomicUsize::new(4096);
/// Who handled the signal before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Lets weight files that are cut short while an answer is made end that answer with [`crate::EngineError::Corrupt`], instead of the
/// process with SIGBUS. Installs a handler for that signal, which passes other signals on. For programs that own their process;
/// the packages for apps do not call it. May be called again.
///
/// ```
/// whimbrel_engine::catch_cut_weights();
/// ```
pub fn catch_cut_weights() {
    if IS_INSTALLED.swap(true, Ordering::AcqRel) {
        return;
    }
    // SAFETY: `sysconf` has no preconditions. The actions are plain structures, for which zeros are valid, and the handler calls
    // only functions that may be called in one.
    unsafe {
        if let Ok(bytes) = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)) {
            PAGE_BYTES.store(bytes, Ordering::Release);
        }
        let mut before: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut before);
        let _ = BEFORE.set(before);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut());
    }
}

/// The guard of a map, for as long as the map lives.
#[derive(Debug)]
pub(super) struct Guard(Option<usize>);

impl Guard {
    /// Guards the bytes of a map, where the handler is installed.
    pub(super) fn new(map: &[u8]) -> Guard {
        if !IS_INSTALLED.load(Ordering::Acquire) {
            return Guard(None);
        }
        let free = PLACES
            .iter()
            .position(|place| !place.taken.swap(true, Ordering::AcqRel));
        if let Some(place) = free.map(|number| &PLACES[number]) {
            let start = map.as_ptr().addr();
            place.is_cut.store(false, Ordering::Release);
            place.start.store(start, Ordering::Release);
            place.end.store(start + map.len(), Ordering::Release);
        }
        Guard(free)
    }

    /// Whether some of the bytes were found to be gone.
    pub(super) fn is_cut(&self) -> bool {
        self.0
            .is_some_and(|number| PLACES[number].is_cut.load(Ordering::Acquire))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(place) = self.0.map(|number| &PLACES[number]) {
            place.end.store(0, Ordering::Release);
            place.taken.store(false, Ordering::Release);
        }
    }
}

/// Runs where a signal interrupted a thread: it takes no lock and allocates nothing.
extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system passes valid pointers to a handler with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() }.addr();
    let is_inside =
        |place: &&Place| (place.start.load(Ordering::Acquire)..place.end.load(Ordering::Acquire)).contains(&address);
    if let Some(place) = PLACES.iter().find(is_inside)
        && put_zeros(address, place.end.load(Ordering::Acquire))
    {
        place.is_cut.store(true, Ordering::Release);
        return;
    }
    pass_on(signal, info, context);
}

/// Puts zeros from the page of `address` up to `end`.
fn put_zeros(address: usize, end: usize) -> bool {
    let page = address & !(PAGE_BYTES.load(Ordering::Acquire) - 1);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: the pages belong to a map that its guard keeps, which is only ever read, as bytes of which every pattern is valid.
    let zeros = unsafe {
        libc::mmap(
            ptr::with_exposed_provenance_mut(page),
            end - page,
            libc::PROT_READ,
            flags,
            -1,
            0,
        )
    };
    zeros != libc::MAP_FAILED
}

/// Leaves the signal to whoever had it before.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = BEFORE
        .get()
        .filter(|before| ![libc::SIG_DFL, libc::SIG_IGN].contains(&before.sa_sigaction));
    // SAFETY: the handler of before is called as the system would call it. Without one, the default action is set, and the read that
    // raised the signal is tried again when this returns.
    unsafe {
        match before {
            Some(before) if before.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                    std::mem::transmute(before.sa_sigaction);
                handler(signal, info, context);
            }
            Some(before) => {
                let handler: extern "C" fn(libc::c_int) = std::mem::transmute(before.sa_sigaction);
                handler(signal);
            }
            None => {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}
