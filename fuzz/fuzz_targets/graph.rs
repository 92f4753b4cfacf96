//! The text of a graph: the caps hold before tract's parser sees it, so nothing takes long and nothing overflows the stack.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = whimbrel_engine::check_graph_text(text);
});
