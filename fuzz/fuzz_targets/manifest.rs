//! A manifest: whatever is accepted writes out as the text that was read, and anything with the right fields can be sealed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_engine::Manifest;

fuzz_target!(|text: &[u8]| {
    if let Ok(manifest) = Manifest::parse(text) {
        assert_eq!(manifest.to_text().as_bytes(), text);
    }
    // The hash keeps a fuzzer out of everything behind it, so it is set right here.
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(text) {
        let sealed = manifest.sealed();
        if let Ok(parsed) = Manifest::parse(sealed.to_text().as_bytes()) {
            assert_eq!(parsed, sealed);
            assert!(
                parsed
                    .files()
                    .iter()
                    .all(|file| !file.path.starts_with('/') && !file.path.contains(".."))
            );
        }
    }
});
