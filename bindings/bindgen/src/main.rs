//! UniFFI's generator as a binary of this workspace, so that its version is the library's own.

fn main() {
    uniffi::uniffi_bindgen_main();
}
