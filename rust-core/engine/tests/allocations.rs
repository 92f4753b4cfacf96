//! Decoding allocates next to nothing: a run walks buffers that are there already.
#![allow(clippy::unwrap_used)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use support::open_with;
use whimbrel_engine::{CancelFlag, Generation, GenerationOptions, Session, Step};

/// Counts calls that take memory.
struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most allocations that one decoded token may make, its text included.
const CALLS_A_TOKEN_MAX: u64 = 10;

#[test]
fn a_decoded_token_allocates_little() {
    for threads in [1, 2] {
        let model = open_with(&support::tiny(), threads).unwrap();
        let mut session = Session::new(&model, 256).unwrap();
        let options = GenerationOptions {
            max_tokens: 120,
            // One token a step, so that steps can be counted.
            speculation: false,
            ..GenerationOptions::default()
        };
        let mut generation = Generation::new(&mut session, vec![20, 21, 22], options, CancelFlag::default()).unwrap();
        let mut counts = Vec::new();
        loop {
            let before = CALLS.load(Ordering::Relaxed);
            let step = generation.step(&mut session).unwrap();
            counts.push(CALLS.load(Ordering::Relaxed) - before);
            if let Step::Finished { .. } = step {
                break;
            }
        }
        // The first steps give the buffers their sizes.
        let decoded = &counts[4..counts.len() - 1];
        assert!(decoded.len() > 50, "{} tokens", decoded.len());
        let most = decoded.iter().max().unwrap();
        assert!(*most <= CALLS_A_TOKEN_MAX, "{most} allocations with {threads} threads");
    }
}
