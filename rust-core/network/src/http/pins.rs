//! Pinned public keys: the check that follows the normal validation of a certificate chain.

use sha2::{Digest, Sha256};

use crate::http::settings::{PINS_MAX, PINS_MIN, PinSettings};
use crate::http::trust::TrustError;

/// A checked set of pins.
///
/// ```
/// use whimbrel_network::{PinSet, PinSettings, TrustError};
///
/// let mut settings = PinSettings {
///     sha256: vec!["ab".repeat(32), "cd".repeat(32)],
///     expires_unix_s: 1_830_297_600,
///     report_only: true,
/// };
/// assert!(PinSet::new(&settings).is_ok());
/// // Without a reserve pin, the key could never be changed.
/// settings.sha256.truncate(1);
/// assert_eq!(PinSet::new(&settings).unwrap_err(), TrustError::PinCount);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PinSet {
    hashes: Vec<[u8; 32]>,
    expires_unix_s: u64,
    report_only: bool,
}

impl PinSet {
    /// Checks settings.
    ///
    /// # Errors
    /// [`TrustError::PinCount`], [`TrustError::Pin`].
    pub fn new(settings: &PinSettings) -> Result<PinSet, TrustError> {
        if !(PINS_MIN as usize..=PINS_MAX as usize).contains(&settings.sha256.len()) {
            return Err(TrustError::PinCount);
        }
        let mut hashes = Vec::with_capacity(settings.sha256.len());
        for (index, text) in (0..).zip(&settings.sha256) {
            let hash = from_hex(text).ok_or(TrustError::Pin { index })?;
            // The same pin twice is no reserve.
            if hashes.contains(&hash) {
                return Err(TrustError::Pin { index });
            }
            hashes.push(hash);
        }
        Ok(PinSet {
            hashes,
            expires_unix_s: settings.expires_unix_s,
            report_only: settings.report_only,
        })
    }

    pub(crate) fn is_active(&self, now_unix_s: u64) -> bool {
        now_unix_s < self.expires_unix_s
    }

    pub(crate) fn reports_only(&self) -> bool {
        self.report_only
    }

    /// Whether the key in this DER-encoded `SubjectPublicKeyInfo` is pinned.
    pub(crate) fn holds(&self, public_key_info: &[u8]) -> bool {
        let hash: [u8; 32] = Sha256::digest(public_key_info).into();
        self.hashes.contains(&hash)
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|value| value as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(sha256: Vec<String>) -> PinSettings {
        PinSettings {
            sha256,
            expires_unix_s: 100,
            report_only: false,
        }
    }

    fn distinct(count: u32) -> Vec<String> {
        (0..count).map(|index| format!("{index:064x}")).collect()
    }

    fn check(sha256: Vec<String>, expected: Option<TrustError>) {
        assert_eq!(PinSet::new(&settings(sha256.clone())).err(), expected, "{sha256:?}");
    }

    #[test]
    fn sets_have_a_reserve_and_a_limit() {
        check(distinct(0), Some(TrustError::PinCount));
        check(distinct(PINS_MIN - 1), Some(TrustError::PinCount));
        check(distinct(PINS_MIN), None);
        check(distinct(PINS_MAX), None);
        check(distinct(PINS_MAX + 1), Some(TrustError::PinCount));
        for text in [
            "".to_owned(),
            "0".repeat(63),
            "0".repeat(65),
            "g".repeat(64),
            "ä".repeat(32),
        ] {
            check(vec!["a".repeat(64), text], Some(TrustError::Pin { index: 1 }));
        }
        check(vec!["a".repeat(64), "A".repeat(64)], Some(TrustError::Pin { index: 1 }));
    }

    #[test]
    fn holds_the_hash_of_the_key() {
        // SHA-256 of "abc", from FIPS 180-4's examples.
        let known = "BA7816BF8F01CFEA414140DE5DAE2223b00361a396177a9cb410ff61f20015ad";
        let set = PinSet::new(&settings(vec!["0".repeat(64), known.to_owned()])).unwrap();
        assert!(set.holds(b"abc"));
        assert!(!set.holds(b"abd"));
        assert!(set.is_active(99));
        assert!(!set.is_active(100));
    }
}
