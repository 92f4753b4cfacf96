//! Memory stays bounded: 200 turns of one conversation leave no more memory in use than the first few did.
#![allow(clippy::unwrap_used)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

use support::{Conversation, open};
use whimbrel_engine::{ChatOptions, GenerationOptions};

/// Counts the bytes in use.
struct Counting;

static IN_USE: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Far less than one turn takes.
const SLACK_BYTES: i64 = 1024;

#[test]
fn two_hundred_turns_do_not_grow() {
    let options = ChatOptions {
        context_length: 256,
        ..ChatOptions::default()
    };
    let mut conversation = Conversation::new(&open(), "Be brief.", options);
    let mut turn = || {
        let options = GenerationOptions {
            max_tokens: 12,
            ..GenerationOptions::default()
        };
        let (_, statistics) = conversation.ask("Where does the bird go in winter?", options);
        // The history is the caller's, who here forgets what the model no longer sees.
        conversation.messages.drain(1..=statistics.dropped_messages as usize);
        IN_USE.load(Ordering::Relaxed)
    };
    // The conversation fills its context within the first turns; from then on it moves between the same sizes.
    let early = (0..40).map(|_| turn()).max().unwrap();
    let late = (40..200).map(|_| turn()).max().unwrap();
    // How the texts grow depends on how many tokens were guessed at a time, and that on the clock.
    assert!(
        late <= early + SLACK_BYTES,
        "{early} bytes in use at most in 40 turns, {late} in the next 160"
    );
}
